//! Who changed the schema, over HTTP.

use db_migrations_service::Service;
use db_migrations_service::operations::{Operations, Recording};
use db_migrations_service::settings::Settings;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, Setup, World, admin, world, world_with};

/// The world's default environment brought up to date, and one table made behind the service's back.
async fn touched() -> World {
    touch(world().await).await
}

async fn touch(world: World) -> World {
    admin("postgres").await.batch(&format!("CREATE DATABASE dev{}", world.suffix())).await.expect("the superuser may");
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let session = database(&world).await;
    session.batch(&format!("CREATE TABLE {}.a_escondidas ()", world.schema)).await.expect("the superuser may");
    world
}

async fn database(world: &World) -> postgres_link::AdminConn {
    admin(&format!("dev{}", world.suffix())).await
}

fn column<'a>(page: &'a Value, name: &str) -> Vec<&'a str> {
    page["entries"].as_array().expect("a list").iter().map(|entry| entry[name].as_str().unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_filtered_and_paged() {
    let world = touched().await;
    let all = world.get("/api/audit?limit=4").await.is(200);
    assert_eq!(all["environment"], "development");
    assert_eq!(column(&all, "command"), ["CREATE TABLE", "MIGRATE", "MIGRATE", "MIGRATE"], "{all:#}");
    let entry = &all["entries"][0];
    assert_eq!((&entry["viaService"], &entry["runId"]), (&json!(false), &json!(null)));
    assert_eq!(entry["objects"][0]["identity"], format!("{}.a_escondidas", world.schema));
    assert!(all["entries"].as_array().expect("a list")[1..].iter().all(|entry| entry["viaService"] == true));

    let foreign = world.get("/api/audit?viaService=false").await.is(200);
    assert_eq!(column(&foreign, "command"), ["CREATE TABLE"]);
    let next = world.get(&format!("/api/audit?limit=1&before={}", entry["id"])).await.is(200);
    assert_eq!((column(&next, "command"), next["next"].is_i64()), (vec!["MIGRATE"], true));
    let service = world.get("/api/audit?service=cursos-service").await.is(200);
    assert_eq!(column(&service, "command"), ["MIGRATE"]);
    let schema = world.get(&format!("/api/audit?schema={}&command=create%20table", world.schema)).await.is(200);
    assert_eq!(column(&schema, "command"), ["CREATE TABLE"]);
    let late = world.get("/api/audit?since=2999-01-01T00:00:00Z").await.is(200);
    assert!(column(&late, "command").is_empty());
    let role = world.get("/api/audit?role=nadie&until=2999-01-01T00:00:00Z").await.is(200);
    assert!(column(&role, "command").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrongly_asked_is_told() {
    let world = world().await;
    world.get("/api/audit?since=ayer").await.is_problem(400, "invalid_query");
    world.get("/api/audit?limit=501").await.is_problem(400, "invalid_query");
    world.get("/api/audit?service=nadie").await.is_problem(404, "unknown_service");
    world.post("/api/audit/verify", json!({ "environment": "nowhere" })).await.is_problem(404, "unknown_environment");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_one_service_sees_its_part_and_cannot_verify() {
    let world = touched().await;
    let token = world.token(&["read"], &["cursos-service"]).await;
    let page = Answer::of(world.request(Method::GET, "/api/audit").bearer_auth(&token)).await.is(200);
    assert_eq!(column(&page, "command"), ["MIGRATE"]);
    let foreign = world.request(Method::GET, &format!("/api/audit?schema={}", world.schema)).bearer_auth(&token);
    assert!(column(&Answer::of(foreign).await.is(200), "command").is_empty());
    let verify = world.request(Method::POST, "/api/audit/verify").bearer_auth(&token);
    Answer::of(verify).await.is_problem(403, "service_not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_compares_with_what_the_master_database_has() {
    let world = touched().await;
    // The run itself wrote down where the log ended.
    let first = world.post("/api/audit/verify", json!({})).await.is(200);
    assert_eq!((&first["intact"], &first["anchors"]), (&json!(true), &json!(1)), "{first:#}");
    let session = database(&world).await;
    session
        .batch("DELETE FROM migration_service.audit_chain; DELETE FROM migration_service.audit_entry WHERE NOT via_service")
        .await
        .expect("the superuser may");
    let second = world.post("/api/audit/verify", json!({})).await.is(200);
    assert_eq!(
        (&second["intact"], &second["findings"][0]["code"]),
        (&json!(false), &json!("head_missing")),
        "{second:#}"
    );
    assert!(second["findings"][0]["message"].as_str().is_some_and(|text| text.contains("cut off")));
    // It is found again and again: a head is never replaced.
    assert_eq!(world.post("/api/audit/verify", json!({})).await.is(200)["intact"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_elsewhere_finds_what_was_rewritten_in_both_databases() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("anchors.jsonl");
    let variables = vec![("MIGRATION_SERVICE_AUDIT_ANCHOR_FILE", path.display().to_string())];
    let world = touch(world_with(Setup { variables, ..Setup::default() }).await).await;
    let text = std::fs::read_to_string(&path).expect("the run has written it");
    let anchor: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    assert_eq!(
        (&anchor["environment"], &anchor["target"]),
        (&json!("development"), &json!(format!("dev{}", world.suffix())))
    );
    assert!(anchor["at"].is_string() && anchor["head"]["position"].as_i64() > Some(1), "{anchor:#}");
    let first = world.post("/api/audit/verify", json!({})).await.is(200);
    // The file and the master database have the same.
    assert_eq!((&first["intact"], &first["anchors"]), (&json!(true), &json!(1)), "{first:#}");

    let rewrite = "DELETE FROM migration_service.audit_chain; DELETE FROM migration_service.audit_entry WHERE NOT via_service; \
                   UPDATE migration_service.audit_entry SET acting_role = 'nadie' WHERE migration IS NOT NULL";
    database(&world).await.batch(rewrite).await.expect("the superuser may");
    let master = admin(&format!("master{}", world.suffix())).await;
    master.batch("DELETE FROM migration_service.audit_anchor").await.expect("the superuser may");
    let second = world.post("/api/audit/verify", json!({})).await.is(200);
    assert_eq!(
        (&second["intact"], &second["findings"][0]["code"]),
        (&json!(false), &json!("head_differs")),
        "{second:#}"
    );

    // A crash in the middle of a line is no tampering, anything else is.
    let whole = std::fs::read_to_string(&path).expect("the file");
    std::fs::write(&path, format!("{whole}{}", &text[..20])).expect("room");
    assert_eq!(world.post("/api/audit/verify", json!({})).await.is(200)["anchors"], second["anchors"]);
    std::fs::write(&path, format!("{}\n{whole}", &text[..20])).expect("room");
    let problem = world.post("/api/audit/verify", json!({})).await.is_problem(500, "internal");
    let detail = problem["detail"].as_str().expect("a sentence");
    assert!(detail.starts_with("line 1 of the anchor file anchors.jsonl is no anchor"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_cannot_write_its_anchors_does_not_start() {
    let world = world().await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings { port: 0, audit_anchor_file: Some(folder.path().to_owned()), ..Settings::default() };
    let operations =
        Operations::new(world.operations.project().clone(), world.operations.targets().clone(), Recording::First);
    let Err(refused) = Service::bind(operations, &settings).await else { panic!("a folder is no file") };
    assert!(refused.to_string().contains("cannot be written"), "{refused}");
}
