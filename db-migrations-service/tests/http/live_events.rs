//! What happens is told as it happens: to every listener, by every copy, with Redis, without it, and while it dies.

use std::time::{Duration, Instant};

use db_migrations_service::events::{RedisState, STREAM};
use db_migrations_service::operations::{Caller, Operations, Recording, RunOrder};
use db_migrations_service::settings::Settings;
use db_migrations_service::{STARTUP_PART, Service};
use kernel::Secret;
use postgres_link::AdminConn;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use crate::redis_server::RedisServer;
use crate::world::{Answer, Setup, World, admin, world, world_with};

const PATIENCE: Duration = Duration::from_secs(30);

/// One message of a stream.
#[derive(Debug, Clone, PartialEq)]
struct Message {
    id: i64,
    kind: String,
    data: Value,
}

/// An open stream.
struct Listening {
    response: reqwest::Response,
    text: String,
    begun: bool,
    /// All that was heard.
    heard: Vec<Message>,
}

impl Listening {
    async fn at(world: &World, address: std::net::SocketAddr, query: &str, last: Option<i64>) -> Self {
        let mut request = world.request(Method::GET, "/api/events").build().expect("a request");
        *request.url_mut() = format!("http://{address}/api/events{query}").parse().expect("a URL");
        if let Some(last) = last {
            request.headers_mut().insert("last-event-id", last.to_string().parse().expect("a number"));
        }
        let response = reqwest::Client::builder().no_proxy().build().expect("a client").execute(request).await;
        let response = response.expect("the server answers");
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut listening = Self { response, text: String::new(), begun: false, heard: Vec::new() };
        // It says where it begins; from there on nothing is missed.
        while !listening.begun {
            assert!(listening.read().await, "the stream ended at once");
        }
        listening
    }

    async fn to(world: &World, query: &str) -> Self {
        Self::at(world, world.address, query, None).await
    }

    async fn read(&mut self) -> bool {
        let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("something comes");
        let Some(chunk) = chunk.expect("the stream goes on") else { return false };
        self.text.push_str(std::str::from_utf8(&chunk).expect("whole messages"));
        while let Some((message, rest)) = self.text.split_once("\n\n") {
            self.heard.extend(parsed(message));
            self.begun = true;
            let rest = rest.to_owned();
            self.text = rest;
        }
        true
    }

    /// Reads on until a message of this type has come.
    async fn until(&mut self, kind: &str) -> Message {
        let give_up = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < give_up, "waited in vain for {kind:?}: {:?}", self.heard);
            if let Some(found) = self.heard.iter().find(|message| message.kind == kind) {
                return found.clone();
            }
            assert!(self.read().await, "the stream ended without {kind:?}: {:?}", self.heard);
        }
    }

    fn kinds(&self) -> Vec<&str> {
        self.heard.iter().map(|message| message.kind.as_str()).collect()
    }
}

fn parsed(message: &str) -> Option<Message> {
    let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name));
    let data = serde_json::from_str(field("data: ")?).expect("JSON");
    let id = field("id: ").expect("an id").parse().expect("a number");
    Some(Message { id, kind: field("event: ").expect("a type").to_owned(), data })
}

/// Another copy of the service on the same master database.
struct Copy {
    operations: Operations,
    address: std::net::SocketAddr,
    shutdown: CancellationToken,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Copy {
    async fn of(world: &World, redis: Option<&RedisServer>) -> Self {
        let operations =
            Operations::new(world.operations.project().clone(), world.operations.targets().clone(), Recording::First);
        let settings = Settings {
            port: 0,
            watch_interval: None,
            redis_url: redis.map(|redis| Secret::new(redis.url())),
            ..Settings::default()
        };
        let service = Service::bind(operations.clone(), &settings).await.expect("a free port");
        let (address, readiness, shutdown) = (service.address(), service.readiness(), CancellationToken::new());
        readiness.report(STARTUP_PART, true);
        let server = tokio::spawn(service.serve(shutdown.clone()));
        readiness.ready().await;
        Self { operations, address, shutdown, server }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.server.await.expect("no panic").expect("in good order");
    }
}

async fn master(world: &World) -> AdminConn {
    admin(&format!("master{}", world.suffix())).await
}

/// Every event that is kept, by number and type.
async fn kept(world: &World) -> Vec<(i64, String)> {
    let rows = master(world).await.batch("SELECT id, type FROM migration_service.event ORDER BY id").await;
    let rows = rows.expect("the table is there");
    rows.rows()
        .map(|row| (row[0].as_deref().expect("an id").parse().expect("a number"), row[1].clone().expect("a type")))
        .collect()
}

fn names(messages: &[Message]) -> Vec<(i64, String)> {
    messages.iter().map(|message| (message.id, message.kind.clone())).collect()
}

async fn redis_is(operations: &Operations, wanted: impl Fn(&RedisState) -> bool) {
    let mut state = operations.redis().expect("one is configured").follow();
    tokio::time::timeout(PATIENCE, state.wait_for(|state| wanted(state))).await.expect("in time").expect("it lives");
}

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

/// A migration that waits until the test lets it go on.
const GATE: i64 = 4_711;

fn gated() -> Vec<(&'static str, &'static str)> {
    vec![
        ("migrations/nada{s}/1_wait.up.sql", "CREATE TABLE nada{s}.uno (id int); SELECT pg_advisory_xact_lock(4711);"),
        ("migrations/nada{s}/1_wait.down.sql", "DROP TABLE nada{s}.uno;"),
        ("migrations/nada{s}/2_go_on.up.sql", "-- requires: nada{s}/1\nCREATE TABLE nada{s}.dos (id int);"),
        ("migrations/nada{s}/2_go_on.down.sql", "DROP TABLE nada{s}.dos;"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_redis_in_the_middle_of_a_run_loses_nothing() {
    let mut redis = RedisServer::start();
    let variables = vec![("MIGRATION_SERVICE_REDIS_URL", redis.url())];
    let world = world_with(Setup { files: gated(), variables, ..Setup::default() }).await;
    let copy = Copy::of(&world, Some(&redis)).await;
    for operations in [&world.operations, &copy.operations] {
        redis_is(operations, RedisState::is_connected).await;
    }
    assert_eq!(world.get("/health/redis").await.is(200)["status"], "healthy");
    let mut there = Listening::at(&world, copy.address, "", None).await;

    // The first run makes the database that the gate stands in.
    world.post("/api/migrations/run", json!({ "service": "alumnos-service", "wait": true })).await.is(200);
    let gate = admin(&format!("dev{}", world.suffix())).await;
    gate.batch(&format!("SELECT pg_advisory_lock({GATE})")).await.expect("nobody has it");
    world.post("/api/migrations/run", json!({ "service": "nada-service" })).await.is(202);
    there.until("waiting").await;
    redis.kill();
    redis_is(&copy.operations, |state| matches!(state, RedisState::Away(_))).await;
    redis_is(&world.operations, |state| matches!(state, RedisState::Away(_))).await;
    let answer = world.get("/health/redis").await.is(200);
    assert!(answer["status"] == "away" && answer["reason"].is_string(), "{answer}");
    world.get("/ready").await.is(200);
    gate.batch(&format!("SELECT pg_advisory_unlock({GATE})")).await.expect("it was had");
    loop {
        there.heard.retain(|message| message.kind != "run_ended" || message.data["service"] == "nada-service");
        if there.until("run_ended").await.data["service"] == "nada-service" {
            break;
        }
    }
    let mut again = Listening::at(&world, copy.address, "", Some(0)).await;
    while again.heard.iter().filter(|message| message.kind == "run_ended").count() < 2 {
        assert!(again.read().await);
    }
    let all = kept(&world).await;
    assert_eq!(names(&again.heard), all, "Last-Event-ID can ask for everything");

    // It is back, and has forgotten everything: what was told while it was away is there again, once.
    redis.restart();
    for operations in [&world.operations, &copy.operations] {
        redis_is(operations, RedisState::is_connected).await;
    }
    world.post("/api/migrations/run", json!({ "service": "cursos-service", "wait": true })).await.is(200);
    let all = kept(&world).await;
    let newest = all.last().expect("events").0;
    let entries = redis.entries_up_to(STREAM, newest).await;
    assert_eq!(entries.iter().map(|(id, kind, _)| (*id, kind.clone())).collect::<Vec<_>>(), all);
    for (id, kind, event) in entries {
        assert_eq!((&event["id"], &event["type"]), (&json!(id), &json!(kind)), "{event}");
    }
    copy.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_redis_the_service_starts_and_says_so() {
    let mut redis = RedisServer::start();
    redis.kill();
    let variables = vec![("MIGRATION_SERVICE_REDIS_URL", redis.url())];
    let world = world_with(Setup { variables, ..Setup::default() }).await;
    redis_is(&world.operations, |state| matches!(state, RedisState::Away(_))).await;
    let mut listening = Listening::to(&world, "").await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    listening.until("run_ended").await;
    assert_eq!(world.get("/health/redis").await.is(200)["status"], "away");
    redis.restart();
    redis_is(&world.operations, RedisState::is_connected).await;

    let plain = crate::world::world().await;
    assert_eq!(plain.get("/health/redis").await.is(200)["status"], "not_configured");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_another_master_database_is_left_alone() {
    let redis = RedisServer::start();
    redis.command(&["XADD", STREAM, "999999-0", "type", "planned", "event", "{}"]).await;
    let variables = vec![("MIGRATION_SERVICE_REDIS_URL", redis.url())];
    let world = world_with(Setup { variables, ..Setup::default() }).await;
    redis_is(&world.operations, |state| matches!(state, RedisState::Away(_))).await;
    let reason = world.get("/health/redis").await.is(200)["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("belongs to another one") && reason.contains("delete the stream"), "{reason}");
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
