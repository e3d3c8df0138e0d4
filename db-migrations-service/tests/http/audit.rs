//! Who changed the schema, over HTTP.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, World, admin, world};

/// The world's default environment brought up to date, and one table made behind the service's back.
async fn touched() -> World {
    let world = world().await;
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
    // A statement that may run code of its author is recorded by the event triggers as well.
    assert_eq!(column(&all, "command"), ["CREATE TABLE", "MIGRATE", "ALTER TABLE", "MIGRATE"], "{all:#}");
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
