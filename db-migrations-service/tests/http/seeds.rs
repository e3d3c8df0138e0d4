//! Seeds.

use serde_json::json;

use crate::world::{Setup, world, world_with};

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
    let body = world.post("/api/seeds/reset", json!({ "environment": "production" })).await;
    let body = body.is_problem(403, "protected");
    assert_eq!((&body["run"]["status"], &body["run"]["kind"]), (&"failed".into(), &"seed_reset".into()), "{body}");
    assert_eq!(body["migrationId"], body["run"]["migrationId"], "{body}");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_seeding_is_a_problem_with_its_place() {
    let files = vec![("seeds/alumnos{s}/15_bad.sql", "SELECT 1;\nINSERT INTO alumnos{s}.alumno (id) VALUES (7);")];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    // Before the first run there is not even a database.
    let body = world.post("/api/seeds/run", json!({})).await.is_problem(422, "seed_failed");
    assert!(body["detail"].as_str().is_some_and(|detail| detail.contains("has no database yet")), "{body}");
    assert_eq!(body["run"]["code"], "seed_failed", "{body}");
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    for path in ["/api/seeds/run", "/api/seeds/reset", "/api/seeds/run/alumnos-service"] {
        let body = world.post(path, json!({})).await.is_problem(422, "seed_failed");
        assert_eq!(
            (&body["sql"]["sqlstate"], &body["location"]["line"]),
            (&"23502".into(), &2.into()),
            "{path}: {body}"
        );
        assert!(body["location"]["file"].as_str().is_some_and(|file| file.ends_with("15_bad.sql")), "{path}: {body}");
        let id = body["migrationId"].as_str().expect("an id");
        assert_eq!(world.get(&format!("/api/migrations/runs/{id}")).await.is(200), body["run"], "{path}");
    }
}
