//! Runs are followed as server-sent events.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, Setup, World, world, world_with};

/// `(id, event, data)` of every message.
fn messages(text: &str) -> Vec<(Option<u64>, String, Value)> {
    let field = |message: &str, name: &str| {
        message
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(|value| value.trim_start().to_owned())
    };
    text.split("\n\n")
        .filter(|message| message.lines().any(|line| line.starts_with("event:")))
        .map(|message| {
            let id = field(message, "id").map(|id| id.parse().expect("a number"));
            let data = serde_json::from_str(&field(message, "data").expect("data")).expect("JSON");
            (id, field(message, "event").expect("an event"), data)
        })
        .collect()
}

async fn follow(world: &World, id: &str, last: Option<u64>) -> Answer {
    let mut request = world.request(Method::GET, &format!("/api/migrations/runs/{id}/events"));
    if let Some(last) = last {
        request = request.header("Last-Event-ID", last.to_string());
    }
    Answer::of(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_followed_to_its_end_and_resumed() {
    let world = world().await;
    let body = world.post("/api/migrations/run", json!({})).await.is(202);
    let id = body["migrationId"].as_str().expect("an id");
    let answer = follow(&world, id, None).await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let all = messages(&answer.text);
    let names: Vec<_> = all.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(names.iter().filter(|name| **name == "migration_finished").count(), 3, "{names:?}");
    assert_eq!((names[0], &names[names.len() - 2..]), ("planned", &["finished", "end"][..]), "{names:?}");
    let (_, _, end) = all.last().expect("messages");
    assert_eq!((&end["status"], &end["migrationsApplied"]), (&"completed".into(), &3.into()), "{end}");
    let ids: Vec<_> = all.iter().filter_map(|(id, ..)| *id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());

    let resumed = messages(&follow(&world, id, Some(ids.len() as u64 - 2)).await.text);
    assert_eq!(resumed, all[ids.len() - 2..], "from after the last one seen");
    assert_eq!(follow(&world, id, Some(ids.len() as u64)).await.status, 204, "nothing more to tell");
    let request = world.request(Method::GET, &format!("/api/migrations/runs/{id}/events")).header("Last-Event-ID", "x");
    Answer::of(request).await.is_problem(400, "invalid_header");
    follow(&world, "00000000-0000-7000-8000-000000000000", None).await.is_problem(404, "unknown_run");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_reads_the_same_events_afterwards() {
    let world = world().await;
    let body = world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let id = body["migrationId"].as_str().expect("an id");
    let here = messages(&follow(&world, id, None).await.text);
    // Another set of operations on the same master database remembers nothing itself.
    let operations = &world.operations;
    let other = db_migrations_service::operations::Operations::new(
        operations.project().clone(),
        operations.targets().clone(),
        db_migrations_service::operations::Recording::First,
    );
    let caller = db_migrations_service::operations::Caller::unrestricted(kernel::Actor::cli("prueba"));
    let mut events = other.run_events(id.parse().expect("a UUID"), 0, &caller).await.expect("it is written down");
    let mut there = Vec::new();
    while let Some(lines) = events.next().await.expect("the master database answers") {
        there.extend(
            lines.into_iter().map(|line| (line.seq, line.event["type"].as_str().unwrap_or_default().to_owned())),
        );
    }
    let here: Vec<_> = here.into_iter().filter_map(|(id, name, _)| Some((id?, name))).collect();
    assert_eq!(there, here);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_stream_does_not_hold_up_the_end() {
    let files = vec![
        ("migrations/nada{s}/1_slow.up.sql", "SELECT pg_sleep(600);"),
        ("migrations/nada{s}/1_slow.down.sql", "SELECT 1;"),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    let body = world.post("/api/migrations/run", json!({ "service": "nada-service" })).await.is(202);
    let id = body["migrationId"].as_str().expect("an id").to_owned();
    let path = format!("/api/migrations/runs/{id}/events");
    let stream = world.request(Method::GET, &path).send().await.expect("a stream");
    let run = world.operations.live_run(id.parse().expect("a UUID")).expect("it lives");
    tokio::time::timeout(Duration::from_secs(20), world.stop())
        .await
        .expect("within the grace time")
        .expect("in good order");
    drop(stream);
    let record = run.finished().await;
    assert_eq!(record.state.as_str(), "interrupted", "its runs were stopped and written down");
}
