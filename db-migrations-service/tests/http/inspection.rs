//! Schemas and the database itself.

use serde_json::json;

use reqwest::Method;

use crate::world::{Answer, Setup, world, world_with};

#[tokio::test(flavor = "multi_thread")]
async fn schemas_are_as_the_target_has_them() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let body = world.get("/api/schemas").await.is(200);
    assert_eq!(body["total"], 3, "{body}");
    let counts = &body["services"][1]["schemas"][0];
    assert_eq!(
        (&counts["exists"], &counts["tables"], &counts["indexes"]),
        (&true.into(), &1.into(), &1.into()),
        "{body}"
    );
    assert_eq!(body["services"][1]["references"], json!([world.schema]), "{body}");

    let body = world.get("/api/schemas/alumnos-service").await.is(200);
    let table = &body["schemas"][0]["tables"][0];
    assert_eq!(table["name"], "alumno", "{body}");
    let columns: Vec<_> = table["columns"]
        .as_array()
        .expect("columns")
        .iter()
        .map(|c| (&c["name"], &c["type"], &c["nullable"]))
        .collect();
    assert_eq!(json!(columns), json!([["id", "integer", false], ["nombre", "text", false], ["email", "text", true]]));
    assert_eq!(table["constraints"][0]["definition"], "PRIMARY KEY (id)", "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_tells_how_it_is() {
    let world = world_with(Setup::default()).await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let body = world.get("/api/database/health").await.is(200);
    assert_eq!((&body["status"], &body["readOnly"]), (&"healthy".into(), &false.into()), "{body}");
    assert_eq!(body["database"], format!("dev{}", world.suffix()), "{body}");
    let body = world.get("/api/database/connections").await.is(200);
    assert_eq!(body["maxConnections"], 200, "{body}");
    let body = world.get("/api/database/performance").await.is(200);
    assert!(
        body["statements"].is_null()
            && body["howToEnableStatements"].as_str().is_some_and(|how| how.contains("CREATE EXTENSION")),
        "{body}"
    );
    let body = world.get("/api/database/size").await.is(200);
    assert!(body["sizeBytes"].as_i64().is_some_and(|bytes| bytes > 1_000_000), "{body}");
    assert!(
        body["schemas"].as_array().is_some_and(|schemas| schemas.iter().any(|s| s["schema"] == world.schema.as_str())),
        "{body}"
    );
    let body = world.get("/health/database").await.is(200);
    assert_eq!(body["status"], "healthy", "an environment without a database is nobody's failure: {body}");
    world.get("/health/master-database").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_run_there_is_no_database_and_that_is_said() {
    let world = world().await;
    let database = format!("dev{}", world.suffix());
    for path in [
        "/api/database/size",
        "/api/database/connections",
        "/api/database/performance",
        "/api/database/health",
        "/api/schemas",
        "/api/schemas/alumnos-service",
    ] {
        let answer = Answer::of(world.request(Method::GET, &format!("{path}?environment=development"))).await;
        let body = answer.is_problem(409, "database_not_created");
        assert_eq!(
            body["detail"],
            format!("the environment \"development\" has no database yet: \"{database}\" is created by its first run"),
            "{path}"
        );
        assert_eq!(body["cure"], "run the migrations of the environment \"development\" first", "{path}");
    }
    // What can be told without one is told.
    for path in ["/api/migrations/status", "/api/migrations/plan", "/api/migrations/history", "/api/seeds/status"] {
        world.get(path).await.is(200);
    }
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    world.get("/api/database/size").await.is(200);
}
