//! What happens is told as it happens: to every listener, by every copy.

use std::collections::BTreeSet;
use std::time::Instant;

use db_migrations_service::operations::{Caller, Operations, Recording, RunOrder};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::alerts::{WRONG, evaluate, quiet_world_with};
use crate::listening::{Copy, GATE, Listening, PATIENCE, SOON, behind, gated, kept, master, names};
use crate::world::{Answer, Setup, admin, world, world_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_from_its_beginning_to_its_end_and_resumed_on_another_copy() {
    let world = world().await;
    let copy = Copy::of(&world, None).await;
    let mut here = Listening::to(&world, "").await;
    let mut there = Listening::at(&world, copy.address, "", None).await;
    let body = world.post("/api/migrations/run", json!({})).await.is(202);
    here.until("run_ended").await;
    there.until("run_ended").await;
    assert_eq!(here.heard, there.heard, "every copy tells the same");
    assert_eq!(names(&here.heard), kept(&world).await, "what is told is what is kept, in its order");

    let kinds = here.kinds();
    assert_eq!((kinds[0], kinds[1]), ("run_started", "planned"), "{kinds:?}");
    assert_eq!(&kinds[kinds.len() - 2..], ["finished", "run_ended"], "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "migration_started").count(), 3, "{kinds:?}");
    for message in &here.heard {
        assert_eq!(message.data["runId"], body["migrationId"], "{message:?}");
        assert_eq!((&message.data["environment"], &message.data["id"]), (&json!("development"), &json!(message.id)));
        assert!(message.data["at"].is_string() && message.data["type"] == message.kind, "{message:?}");
    }
    let started = &here.until("migration_started").await.data;
    assert_eq!((&started["service"], &started["seq"]), (&json!("alumnos-service"), &json!(3)), "{started}");
    let ended = &here.until("run_ended").await.data;
    assert_eq!((&ended["state"], &ended["kind"]), (&json!("completed"), &json!("run")), "{ended}");

    for (cut, address) in [(4, world.address), (1, copy.address), (0, copy.address)] {
        let last = if cut == 0 { 0 } else { here.heard[cut - 1].id };
        let mut again = Listening::at(&world, address, "", Some(last)).await;
        again.until("run_ended").await;
        assert_eq!(again.heard, here.heard[cut..], "from after the last one that was seen");
    }
    copy.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_is_told_as_a_gap() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let all = kept(&world).await;
    let (first, next) = (all[0].0, all[3].0);
    master(&world)
        .await
        .batch(&format!("DELETE FROM migration_service.event WHERE id < {next}"))
        .await
        .expect("deleted");
    let mut late = Listening::at(&world, world.address, "", Some(first)).await;
    late.until("run_ended").await;
    assert_eq!(late.heard[0].kind, "gap");
    assert_eq!(late.heard[0].data, json!({ "type": "gap", "after": first, "resumedAfter": next - 1 }));
    assert_eq!(names(&late.heard[1..]), all[3..]);

    let mut whole = Listening::at(&world, world.address, "", Some(next - 1)).await;
    whole.until("run_ended").await;
    assert_eq!(names(&whole.heard), all[3..], "nothing is missing here");
    let newest = all.last().expect("events").0;
    let mut ahead = Listening::at(&world, world.address, "", Some(newest + 1000)).await;
    assert_eq!(ahead.until("gap").await.data["resumedAfter"], newest, "a number of another master database");
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_get_what_they_ask_for_and_may_see() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let filtered = async |query: &str, last_kind: &str| {
        let mut listening = Listening::at(&world, world.address, query, Some(0)).await;
        listening.until(last_kind).await;
        listening.heard
    };
    let only = filtered("?type=planned,run_ended", "run_ended").await;
    assert_eq!(only.iter().map(|m| m.kind.as_str()).collect::<Vec<_>>(), ["planned", "run_ended"]);
    let cursos = filtered("?service=cursos-service&lastEventId=0", "migration_finished").await;
    assert!(cursos.iter().all(|m| m.data["service"] == "cursos-service"), "{cursos:?}");
    let mut production = Listening::at(&world, world.address, "?environment=production", Some(0)).await;
    world.post("/api/migrations/run", json!({ "environment": "production", "wait": true })).await.is(200);
    production.until("run_ended").await;
    assert!(production.heard.iter().all(|m| m.data["environment"] == "production"), "{:?}", production.heard);

    let token = world.token(&["read"], &["cursos-service"]).await;
    let events = |query: &str| world.request(Method::GET, &format!("/api/events{query}")).bearer_auth(&token);
    let mut response = events("?lastEventId=0").send().await.expect("an answer");
    let mut text = String::new();
    while !text.contains("migration_finished") {
        let chunk = tokio::time::timeout(PATIENCE, response.chunk()).await.expect("in time").expect("a stream");
        text.push_str(std::str::from_utf8(&chunk.expect("it goes on")).expect("text"));
    }
    assert!(text.contains("cursos-service") && !text.contains("alumnos-service"), "{text}");
    assert!(!text.contains("run_started") && !text.contains("planned"), "what concerns all services: {text}");

    Answer::of(events("?service=alumnos-service")).await.is_problem(403, "service_not_allowed");
    world.get("/api/events?service=nadie").await.is_problem(404, "unknown_service");
    world.get("/api/events?environment=luna").await.is_problem(404, "unknown_environment");
    world.get("/api/events?color=rojo").await.is_problem(400, "invalid_query");
    let unknown = world.get("/api/events?type=corrida,fin").await.is_problem(400, "invalid_query");
    let cure = unknown["cure"].as_str().expect("a cure");
    assert!(cure.contains("run_started") && cure.contains("migration_finished"), "{unknown}");
    // A page of a newer copy may ask for what this one does not tell yet.
    let query = "/api/events?type=run_ended,fleet%0Aended&lastEventId=0";
    let mut newer = world.request(Method::GET, query).send().await.expect("an answer");
    let mut text = String::new();
    while !text.contains("event: run_ended") {
        let chunk = tokio::time::timeout(PATIENCE, newer.chunk()).await.expect("in time").expect("a stream");
        text.push_str(std::str::from_utf8(&chunk.expect("it goes on")).expect("text"));
    }
    assert!(text.starts_with(": not told here: fleet\\nended\n"), "{text}");
    let wrong = world.request(Method::GET, "/api/events").header("Last-Event-ID", "ayer");
    Answer::of(wrong).await.is_problem(400, "invalid_header");
    let other = world.token(&["migrate"], &[]).await;
    let refused = world.request(Method::GET, "/api/events").bearer_auth(other);
    Answer::of(refused).await.is_problem(403, "insufficient_scope");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_become_visible_in_their_order() {
    let world = world().await;
    let mut listening = Listening::to(&world, "").await;
    // Another copy, in the middle of writing.
    let other = master(&world).await;
    other
        .batch(
            "BEGIN; SELECT pg_advisory_xact_lock(8102661165172552704); \
             INSERT INTO migration_service.event (at, type, event) VALUES (now(), 'first', '{\"type\": \"first\"}')",
        )
        .await
        .expect("its turn");
    let (operations, caller) = (world.operations.clone(), Caller::unrestricted(kernel::Actor::cli("prueba")));
    let run = tokio::spawn(async move { operations.start_run(RunOrder::default(), &caller).await });
    let give_up = Instant::now() + PATIENCE;
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = \
                 (SELECT oid FROM pg_database WHERE datname = current_database())";
    while other.batch(waits).await.expect("an answer").value(0, 0) == Some("0") {
        assert!(Instant::now() < give_up, "nobody waits for their turn");
    }
    other.batch("COMMIT").await.expect("it is written");
    run.await.expect("no panic").expect("it starts");
    listening.until("run_ended").await;
    assert_eq!(listening.kinds()[..2], ["first", "run_started"], "nothing is passed by");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_services_hear_the_same_through_notify() {
    // The last one fails with a message that fits into no notification.
    let files = vec![
        (
            "migrations/nada{s}/1_long.up.sql",
            "-- requires: cursos{s}/20260101000001\nDO $$ BEGIN RAISE EXCEPTION '%', repeat('x', 9000); END $$;",
        ),
        ("migrations/nada{s}/1_long.down.sql", "SELECT 1;"),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    let session = master(&world).await;
    let (heard, mut hearing) = tokio::sync::mpsc::unbounded_channel();
    session.on_notification(move |notification| drop(heard.send(notification.payload)));
    session.batch("LISTEN profe_events").await.expect("a channel");
    world.post("/api/migrations/run", json!({ "wait": true })).await.is_problem(422, "migration_failed");
    let mut payloads: Vec<Value> = Vec::new();
    while payloads.last().is_none_or(|event| event["type"] != "run_ended") {
        let payload = tokio::time::timeout(PATIENCE, hearing.recv()).await.expect("in time").expect("it lives");
        payloads.push(serde_json::from_str(&payload).expect("JSON"));
    }
    let mut listening = Listening::at(&world, world.address, "", Some(0)).await;
    listening.until("run_ended").await;
    assert_eq!(payloads.len(), listening.heard.len());
    assert!(payloads.iter().any(|payload| payload.as_object().is_some_and(|p| p.len() == 1)), "{payloads:?}");
    for (payload, message) in payloads.iter().zip(&listening.heard) {
        let whole = message.data.to_string().len() < 8_000;
        assert_eq!(*payload, if whole { message.data.clone() } else { json!({ "id": message.id }) });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_too_slowly_is_told_to_resume() {
    let world = world().await;
    let mut socket = tokio::net::TcpStream::connect(world.address).await.expect("a connection");
    socket.write_all(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("sent");
    let mut first = vec![0; 4096];
    let begun = socket.read(&mut first).await.expect("an answer");
    assert!(first[..begun].starts_with(b"HTTP/1.1 200"));
    // More than all buffers between hold.
    let write = async |kind: &str, number: i32, padding: i32| {
        let sql = format!(
            "INSERT INTO migration_service.event (at, type, event) SELECT now(), '{kind}', jsonb_build_object('type', '{kind}', \
             'n', n, 'padding', repeat('x', {padding})) FROM generate_series(1, {number}) n; NOTIFY profe_events"
        );
        master(&world).await.batch(&sql).await.expect("written");
    };
    for _ in 0..12 {
        write("noise", 500, 6000).await;
    }
    write("last", 1, 1).await;
    let last = kept(&world).await.last().expect("events").0;
    let give_up = Instant::now() + PATIENCE;
    while world.operations.hub().latest() < Some(last) {
        assert!(Instant::now() < give_up, "not all was told");
        tokio::task::yield_now().await;
    }

    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, socket.read_to_end(&mut rest)).await.expect("it is closed").expect("in good order");
    let text = String::from_utf8_lossy(&rest);
    let (before, resume) = text.split_once("event: resume\n").expect("the last word");
    let seen: i64 = before.rsplit_once("id: ").expect("an id").1.trim().parse().expect("a number");
    assert!(seen < last, "{seen} of {last}");
    assert!(resume.contains(&format!("\"after\":{seen}")), "{resume}");
    let mut again = Listening::at(&world, world.address, "", Some(seen)).await;
    again.until("last").await;
    assert_eq!(again.heard.iter().map(|m| m.id).collect::<Vec<_>>(), (seen + 1..=last).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_and_findings_are_told() {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let mut listening = Listening::to(&world, "").await;
    let made = world.post("/api/backup/create", json!({ "services": ["alumnos-service"], "wait": true })).await;
    let made = made.is(200);
    let id = made["backupId"].as_str().expect("an id").to_owned();
    world.post(&format!("/api/backup/{id}/verify"), json!({ "wait": true })).await.is(200);
    let verified = listening.until("verification_finished").await;
    assert_eq!((&verified.data["findings"], &verified.data["backupId"]), (&json!([]), &json!(id)), "{verified:?}");
    let kinds = listening.kinds();
    assert_eq!(kinds, ["backup_started", "backup_finished", "verification_started", "verification_finished"]);
    assert!(listening.heard.iter().all(|m| m.data["service"] == "alumnos-service"), "{:?}", listening.heard);
    assert!(listening.heard[1].data["storedBytes"].as_i64() > Some(0), "{:?}", listening.heard[1]);

    let target = admin(&format!("dev{}", world.suffix())).await;
    target.batch(&format!("ALTER TABLE {}.alumno ADD COLUMN apodo text", world.schema)).await.expect("a superuser may");
    world.post("/api/drift/check", json!({})).await.is(200);
    let found = listening.until("drift_found").await;
    assert!(found.data["finding"]["words"].as_str().expect("words").contains("apodo"), "{found:?}");
    target.batch(&format!("ALTER TABLE {}.alumno DROP COLUMN apodo", world.schema)).await.expect("a superuser may");
    world.post("/api/drift/check", json!({})).await.is(200);
    let resolved = listening.until("drift_resolved").await;
    assert_eq!(resolved.data["finding"]["id"], found.data["finding"]["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_told_when_they_fire_and_when_they_are_over() {
    let world = quiet_world_with(&WRONG, "", Vec::new()).await;
    let mut listening = Listening::to(&world, "?type=alert_fired,alert_resolved").await;
    let session = master(&world).await;
    let (heard, mut hearing) = tokio::sync::mpsc::unbounded_channel();
    session.on_notification(move |notification| drop(heard.send(notification.payload)));
    world.post("/api/migrations/run", json!({ "wait": true })).await;
    session.batch("LISTEN profe_events").await.expect("a channel");
    assert_eq!(evaluate(&world, 0).await.len(), 1);
    let fired = listening.until("alert_fired").await.data;
    assert_eq!((&fired["environment"], &fired["service"]), (&json!("development"), &json!("alumnos-service")));
    let summary = "1 migration of alumnos-service failed in development";
    assert_eq!((&fired["alert"]["summary"], &fired["alert"]["state"]), (&json!(summary), &json!("firing")), "{fired}");
    let listed = world.get("/api/alerts").await.is(200)["alerts"][0].clone();
    let members = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<BTreeSet<_>>();
    let (told, page) = (&fired["alert"], &listed);
    assert_eq!(told["id"], page["id"]);
    assert_eq!(members(told), members(page));
    let payload = tokio::time::timeout(PATIENCE, hearing.recv()).await.expect("in time").expect("it lives");
    assert_eq!(serde_json::from_str::<Value>(&payload).expect("JSON"), fired, "the same through NOTIFY");

    assert_eq!(evaluate(&world, 5).await, [], "it goes on");
    let path = WRONG[0].0.replace("{s}", world.suffix());
    std::fs::write(world.project.path().join(path), "SELECT 1;").expect("a file");
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    assert_eq!(evaluate(&world, 10).await.len(), 1);
    let over = listening.until("alert_resolved").await.data;
    assert_eq!((&over["alert"]["id"], &over["alert"]["state"]), (&fired["alert"]["id"], &json!("resolved")), "{over}");
    assert!(over["alert"]["resolvedAt"].is_string() && fired["alert"]["resolvedAt"].is_null(), "{over}");
    assert_eq!(listening.kinds(), ["alert_fired", "alert_resolved"], "each once");
}

/// As the command line does it: the run is of a process that serves nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_the_command_line_is_told_while_it_is_under_way() {
    let world = world_with(Setup { files: gated(), ..Setup::default() }).await;
    world.post("/api/migrations/run", json!({ "service": "alumnos-service", "wait": true })).await.is(200);
    let gate = admin(&format!("dev{}", world.suffix())).await;
    gate.batch(&format!("SELECT pg_advisory_lock({GATE})")).await.expect("nobody has it");
    let mut listening = Listening::to(&world, "").await;
    let (project, targets) = (world.operations.project().clone(), world.operations.targets().clone());
    let elsewhere = Operations::new(project, targets, Recording::Alongside);
    let order = RunOrder { service: Some("nada-service".to_owned()), ..RunOrder::default() };
    let caller = Caller::unrestricted(kernel::Actor::cli("prueba"));
    let run = elsewhere.start_run(order, &caller).await.expect("it starts");
    // It comes after the first batch of events, …
    let waiting = listening.until("waiting").await;
    assert!(behind(&waiting) < SOON, "{waiting:?}");
    gate.batch(&format!("SELECT pg_advisory_unlock({GATE})")).await.expect("it was had");
    run.finished().await;
    // … and these with the last, which nobody waits for.
    let ended = listening.until("run_ended").await;
    assert!(behind(&ended) < SOON, "{ended:?}");
    let all = kept(&world).await;
    assert_eq!(names(&listening.heard), all[all.len() - listening.heard.len()..], "in order, and nothing twice");
}
