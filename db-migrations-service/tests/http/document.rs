//! The OpenAPI document, and that the committed copy is the present one.

use std::path::Path;

use serde_json::Value;

use crate::world::world;

/// Set to write the file instead of comparing it; `profe openapi` prints the same text.
const UPDATE: &str = "UPDATE_OPENAPI";

#[test]
fn the_committed_document_is_the_present_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi/migration-service.json");
    let present = db_migrations_service::openapi_document();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, &present).expect("the file can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == present,
        "openapi/migration-service.json is stale; write it anew with `{UPDATE}=1 cargo test -p db-migrations-service --test http document`"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_served_with_a_page() {
    let world = world().await;
    let answer = world.get("/openapi.json").await;
    assert_eq!(answer.text, db_migrations_service::openapi_document());
    let page = world.get("/docs/").await;
    assert!(page.status == 200 && page.text.contains("swagger-ui"), "{page:?}");
    assert!(!page.text.contains("//cdn") && !page.text.contains("https://"), "nothing from elsewhere: {page:?}");
}

#[test]
fn it_holds_the_whole_inventory() {
    let document: Value = serde_json::from_str(&db_migrations_service::openapi_document()).expect("JSON");
    for (method, path) in [
        ("get", "/api/migrations/status"),
        ("get", "/api/migrations/history"),
        ("get", "/api/migrations/certificates"),
        ("post", "/api/migrations/run"),
        ("post", "/api/migrations/rollback"),
        ("post", "/api/migrations/validate"),
        ("get", "/api/migrations/service/{name}"),
        ("get", "/api/migrations/service/{name}/status"),
        ("post", "/api/migrations/service/{name}/run"),
        ("post", "/api/migrations/service/{name}/rollback"),
        ("get", "/api/schemas"),
        ("get", "/api/schemas/{service}"),
        ("post", "/api/schemas/validate"),
        ("post", "/api/schemas/backup"),
        ("post", "/api/schemas/restore"),
        ("get", "/api/database/health"),
        ("get", "/api/database/connections"),
        ("get", "/api/database/performance"),
        ("get", "/api/database/size"),
        ("get", "/api/database/history"),
        ("post", "/api/backup/create"),
        ("get", "/api/backup/list"),
        ("get", "/api/backup/{backupId}"),
        ("post", "/api/backup/{backupId}/cancel"),
        ("post", "/api/backup/{backupId}/verify"),
        ("post", "/api/backup/restore/{backupId}"),
        ("delete", "/api/backup/{backupId}"),
        ("post", "/api/seeds/run"),
        ("post", "/api/seeds/run/{service}"),
        ("get", "/api/seeds/status"),
        ("post", "/api/seeds/reset"),
        ("get", "/health"),
        ("get", "/health/database"),
        ("get", "/health/master-database"),
        ("get", "/ready"),
    ] {
        let operation = &document["paths"][path][method];
        assert!(operation.is_object(), "{method} {path}");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path} has no summary");
    }
    let ids: Vec<_> = document["paths"]
        .as_object()
        .expect("paths")
        .values()
        .flat_map(|item| item.as_object().expect("operations").values())
        .map(|operation| operation["operationId"].to_string())
        .collect();
    let mut unique = ids.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), ids.len(), "every operation has an id of its own");
}

#[test]
fn what_starts_a_run_documents_its_failure() {
    let document: Value = serde_json::from_str(&db_migrations_service::openapi_document()).expect("JSON");
    for path in [
        "/api/migrations/run",
        "/api/migrations/rollback",
        "/api/migrations/service/{name}/run",
        "/api/migrations/service/{name}/rollback",
        "/api/seeds/run",
        "/api/seeds/run/{service}",
        "/api/seeds/reset",
    ] {
        let problem = &document["paths"][path]["post"]["responses"]["default"]["content"]["application/problem+json"];
        assert_eq!(problem["schema"]["$ref"], "#/components/schemas/RunProblemDocument", "{path}");
    }
    let text = document["components"]["schemas"]["RunProblemDocument"].to_string();
    for member in ["migrationId", "run", "location", "sql", "ProblemDocument", "RunAnswer"] {
        assert!(text.contains(member), "{member}: {text}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, document: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let pointer = reference.strip_prefix('#').expect("a reference within the document");
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                members.values().for_each(|member| walk(member, document));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, document)),
            _ => {}
        }
    }
    let document: Value = serde_json::from_str(&db_migrations_service::openapi_document()).expect("JSON");
    walk(&document, &document);
}
