//! Runs are followed as server-sent events.

use std::time::Duration;

use db_migrations_service::operations::{Caller, Operations, Recording, RunOrder};
use reqwest::Method;
use serde_json::{Value, json};

use crate::listening::{GATE, Listening, gated};
use crate::world::{Answer, Setup, World, admin, world, world_with};

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

/// What the command line does, and what another copy does, is told by this one until it is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_another_process_is_followed_to_its_end() {
    let world = world_with(Setup { files: gated(), ..Setup::default() }).await;
    world.post("/api/migrations/run", json!({ "service": "alumnos-service", "wait": true })).await.is(200);
    let gate = admin(&format!("dev{}", world.suffix())).await;
    gate.batch(&format!("SELECT pg_advisory_lock({GATE})")).await.expect("nobody has it");
    let (project, targets) = (world.operations.project().clone(), world.operations.targets().clone());
    let elsewhere = Operations::new(project, targets, Recording::Alongside);
    let order = RunOrder { service: Some("nada-service".to_owned()), ..RunOrder::default() };
    let caller = Caller::unrestricted(kernel::Actor::cli("prueba"));
    let mut told = Listening::to(&world, "").await;
    let run = elsewhere.start_run(order, &caller).await.expect("it starts");
    // It is on record with its first batch of events.
    told.until("waiting").await;
    let path = format!("/api/migrations/runs/{}/events", run.id());
    let mut stream = world.request(Method::GET, &path).send().await.expect("a stream");
    let mut text = String::new();
    while !text.contains("event: waiting") {
        let piece = stream.chunk().await.expect("it goes on").expect("it is not over");
        text.push_str(std::str::from_utf8(&piece).expect("text"));
    }
    gate.batch(&format!("SELECT pg_advisory_unlock({GATE})")).await.expect("it was had");
    text.push_str(&stream.text().await.expect("it ends"));
    let all = messages(&text);
    let ids: Vec<_> = all.iter().filter_map(|(id, ..)| *id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>(), "in order, and nothing twice");
    let names: Vec<_> = all.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(names[names.len() - 2..], ["finished", "end"], "{names:?}");
    assert_eq!(all.last().expect("messages").2["status"], "completed");
}

/// Who may no longer call is not told any more, either.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_token_that_it_was_asked_with() {
    let world = world().await;
    let (token, other) = (world.token(&["read"], &[]).await, world.token(&["read"], &["alumnos-service"]).await);
    let listen = async |token: &str| {
        let request = world.request(Method::GET, "/api/events").bearer_auth(token);
        request.send().await.expect("a stream")
    };
    let (stream, beside, mut stays) = (listen(&token).await, listen(&token).await, listen(&other).await);
    assert_eq!((stream.status().as_u16(), stays.status().as_u16()), (200, 200));
    let id = token.split('_').nth(1).expect("its id");
    let caller = Caller::unrestricted(kernel::Actor::cli("prueba"));
    world.operations.revoke_token(id, &caller).await.expect("it is there");
    for stream in [stream, beside] {
        stream.text().await.expect("it ends in good order");
    }
    world.post("/api/migrations/run", json!({ "service": "alumnos-service", "wait": true })).await.is(200);
    let mut text = String::new();
    while !text.contains("event: run_ended") {
        let piece = stays.chunk().await.expect("it goes on").expect("it is not over");
        text.push_str(std::str::from_utf8(&piece).expect("text"));
    }
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
