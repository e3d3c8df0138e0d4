//! Seeds.

use serde_json::json;

use crate::world::world;

#[tokio::test(flavor = "multi_thread")]
async fn seeds_are_run_listed_and_reset() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let body = world.get("/api/seeds/status").await.is(200);
    assert_eq!((&body["total"], &body["seeds"][0]["state"]), (&2.into(), &"pending".into()), "{body}");
    let body = world.post("/api/seeds/run", json!({})).await.is(200);
    assert_eq!(
        (&body["status"], &body["kind"], &body["rows"]),
        (&"completed".into(), &"seed".into(), &3.into()),
        "{body}"
    );
    assert_eq!(body["done"].as_array().map(Vec::len), Some(2), "{body}");
    let body = world.get("/api/seeds/status").await.is(200);
    assert_eq!(body["seeds"][0]["state"], "applied", "{body}");
    let body = world.post("/api/seeds/run/alumnos-service", json!({})).await.is(200);
    assert_eq!(body["service"], "alumnos-service", "{body}");
    world.post("/api/seeds/reset", json!({ "service": "alumnos-service" })).await;
    world.post("/api/seeds/run/nobody", json!({})).await.is_problem(404, "unknown_service");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_environment_is_not_reset() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "environment": "production", "wait": true })).await.is(200);
    let body = world.post("/api/seeds/reset", json!({ "environment": "production" })).await.is(403);
    assert_eq!((&body["status"], &body["code"]), (&"failed".into(), &"protected".into()), "{body}");
    // Only seeds of every environment run there.
    let body = world.post("/api/seeds/run", json!({ "environment": "production" })).await.is(200);
    assert_eq!(body["rows"], 2, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seeding_can_be_followed_instead_of_waited_for() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let body = world.post("/api/seeds/run", json!({ "wait": false })).await.is(202);
    let id = body["migrationId"].as_str().expect("an id");
    let text = world.get(&format!("/api/migrations/runs/{id}/events")).await.text;
    assert!(text.contains("event: end") && text.contains("\"rows\":3"), "{text}");
}
