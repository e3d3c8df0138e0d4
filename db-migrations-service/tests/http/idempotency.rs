//! A request that is sent again is answered again, not done again.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, Setup, World, admin, world, world_with};

async fn post(world: &World, path: &str, key: &str, body: Value) -> Answer {
    Answer::of(world.request(Method::POST, path).header("Idempotency-Key", key).json(&body)).await
}

const RUN: &str = "/api/migrations/run";

#[tokio::test(flavor = "multi_thread")]
async fn the_second_answer_is_the_first() {
    let world = world().await;
    let body = json!({ "wait": true });
    let first = post(&world, RUN, "k1", body.clone()).await;
    assert_eq!(first.is(200)["migrationsApplied"], 3);
    assert_eq!(first.header("idempotency-replayed"), None);
    let second = post(&world, RUN, "k1", body.clone()).await;
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(
        (second.status, &second.text, second.header("content-type")),
        (first.status, &first.text, first.header("content-type"))
    );
    assert_eq!(world.get("/api/migrations/runs").await.is(200)["total"], 1);

    post(&world, RUN, "k1", json!({ "wait": true, "dryRun": true })).await.is_problem(422, "idempotency_key_reused");
    post(&world, "/api/migrations/rollback", "k1", body.clone()).await.is_problem(422, "idempotency_key_reused");
    post(&world, RUN, "k2", body).await.is(200);
    post(&world, RUN, &"k".repeat(300), json!({})).await.is_problem(400, "invalid_header");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_belongs_to_its_owner() {
    let world = world().await;
    post(&world, RUN, "k1", json!({ "wait": true })).await.is(200);
    let token = world.token(&["migrate"], &[]).await;
    let request = world
        .request(Method::POST, RUN)
        .bearer_auth(token)
        .header("Idempotency-Key", "k1")
        .json(&json!({ "wait": true }));
    assert_eq!(Answer::of(request).await.header("idempotency-replayed"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_first_is_worked_on_the_second_is_told_so() {
    let world = world().await;
    let master = admin(&format!("master{}", world.suffix())).await;
    // A run that waits: its own insert into the run table is held up.
    master.batch("BEGIN; LOCK TABLE migration_service.run").await.expect("a lock");
    let request = world.request(Method::POST, RUN).header("Idempotency-Key", "k1").json(&json!({ "wait": true }));
    let first = tokio::spawn(Answer::of(request));
    let watcher = admin(&format!("master{}", world.suffix())).await;
    loop {
        let claimed = watcher.batch("SELECT count(*) FROM migration_service.idempotency_key").await.expect("a table");
        if claimed.value(0, 0) == Some("1") {
            break;
        }
        tokio::task::yield_now().await;
    }
    post(&world, RUN, "k1", json!({ "wait": true })).await.is_problem(409, "idempotency_in_progress");
    master.batch("COMMIT").await.expect("an open transaction");
    assert_eq!(first.await.expect("an answer").is(200)["migrationsApplied"], 3);
    assert_eq!(post(&world, RUN, "k1", json!({ "wait": true })).await.header("idempotency-replayed"), Some("true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_come_out_otherwise_next_time_is_not_kept() {
    let world = world().await;
    world.post(RUN, json!({ "service": "alumnos-service", "wait": true })).await.is(200);
    let holder = admin(&format!("dev{}", world.suffix())).await;
    holder.batch("SELECT pg_advisory_lock(1347571526, 1)").await.expect("a lock");
    post(&world, RUN, "k1", json!({ "wait": true })).await.is_problem(409, "busy");
    holder.close().await;
    post(&world, RUN, "k1", json!({ "wait": true })).await.is(200);
    // A refusal for good is.
    post(&world, RUN, "k2", json!({ "service": "nobody" })).await.is_problem(404, "unknown_service");
    assert_eq!(
        post(&world, RUN, "k2", json!({ "service": "nobody" })).await.header("idempotency-replayed"),
        Some("true")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_failed_was_carried_out() {
    let files = vec![
        ("migrations/nada{s}/1_divide.up.sql", "SELECT 1/0;"),
        ("migrations/nada{s}/1_divide.down.sql", "SELECT 1;"),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    let body = json!({ "wait": true });
    let first = post(&world, RUN, "k1", body.clone()).await;
    first.is_problem(422, "migration_failed");
    let second = post(&world, RUN, "k1", body.clone()).await;
    second.is_problem(422, "migration_failed");
    assert_eq!((second.header("idempotency-replayed"), &second.text), (Some("true"), &first.text));
    // Also with a status that a refusal would be sent again for.
    let reset = json!({ "environment": "production" });
    let first = post(&world, "/api/seeds/reset", "k2", reset.clone()).await;
    first.is_problem(403, "protected");
    let second = post(&world, "/api/seeds/reset", "k2", reset).await;
    assert_eq!((second.header("idempotency-replayed"), &second.text), (Some("true"), &first.text));
    assert_eq!(world.get("/api/migrations/runs").await.is(200)["total"], 2);
}
