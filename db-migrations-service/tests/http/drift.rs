//! What is done behind the service's back is found, told once, and told to be gone.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use db_migrations_service::Service;
use db_migrations_service::operations::{Operations, Recording};
use db_migrations_service::settings::Settings;
use db_migrations_service::watch::Look;
use postgres_link::AdminConn;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::world::{Answer, Setup, World, admin, world, world_with};

/// Far longer than anything here takes.
const DEADLINE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Brings the world's default environment up to date. The superuser makes the database, as in production.
async fn migrated(world: World) -> (World, AdminConn) {
    let name = format!("dev{}", world.suffix());
    admin("postgres").await.batch(&format!("CREATE DATABASE {name}")).await.expect("the superuser may");
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let session = admin(&name).await;
    run(&session, "SET application_name = 'psql de la directora'").await;
    (world, session)
}

async fn run(session: &AdminConn, sql: &str) -> Option<String> {
    let outcome = session.batch(sql).await.expect("the superuser may");
    outcome.value(0, 0).map(str::to_owned)
}

async fn check(world: &World) -> Value {
    world.post("/api/drift/check", json!({})).await.is(200)
}

async fn listed(world: &World, query: &str) -> Vec<Value> {
    let page = world.get(&format!("/api/drift?{query}")).await.is(200);
    page["findings"].as_array().expect("a list").clone()
}

/// Asks until the answer is as wanted.
async fn until(world: &World, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tick.tick().await;
        let page = world.get(path).await.is(200);
        if wanted(&page) {
            return page;
        }
        assert!(begun.elapsed() < DEADLINE, "it did not come: {page:#}");
    }
}

fn other(world: &World) -> Operations {
    Operations::new(world.operations.project().clone(), world.operations.targets().clone(), Recording::First)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_added_by_hand_is_found_with_who_added_it_until_it_is_gone() {
    let (world, session) = migrated(world().await).await;
    let quiet = check(&world).await;
    assert_eq!(
        (&quiet["agrees"], &quiet["findings"], &quiet["trouble"]),
        (&json!(true), &json!([]), &json!(null)),
        "{quiet:#}"
    );
    let me = run(&session, "SELECT session_user").await;
    run(&session, &format!("ALTER TABLE {}.alumno ADD COLUMN apodo text", world.schema)).await;

    let found = check(&world).await;
    let [finding] = found["findings"].as_array().expect("a list").as_slice() else { panic!("{found:#}") };
    assert_eq!((&found["agrees"], &found["opened"], &found["resolved"]), (&json!(false), &json!(1), &json!(0)));
    let words = finding["words"].as_str().expect("words");
    assert_eq!(words, format!("column {}.alumno.apodo: added", world.schema));
    assert_eq!((&finding["kind"], &finding["service"]), (&json!("drift"), &json!("alumnos-service")));
    assert_eq!((&finding["role"], &finding["application"]), (&json!(me), &json!("psql de la directora")));
    assert_eq!(finding["environment"], "development");
    assert_eq!(finding["target"], format!("dev{}", world.suffix()));
    assert!(finding["changedAt"].as_str() <= finding["firstSeenAt"].as_str(), "{finding:#}");
    assert_eq!(finding["resolvedAt"], Value::Null);

    // It is one row however often it is seen.
    let again = check(&world).await;
    assert_eq!((&again["opened"], &again["findings"][0]["id"]), (&json!(0), &finding["id"]), "{again:#}");
    assert_eq!(again["findings"][0]["firstSeenAt"], finding["firstSeenAt"]);
    assert!(again["findings"][0]["lastSeenAt"].as_str() > finding["lastSeenAt"].as_str(), "{again:#}");

    run(&session, &format!("ALTER TABLE {}.alumno DROP COLUMN apodo", world.schema)).await;
    let gone = check(&world).await;
    assert_eq!((&gone["agrees"], &gone["resolved"]), (&json!(true), &json!(1)), "{gone:#}");
    let [row] = listed(&world, "state=resolved").await.try_into().expect("one row");
    assert_eq!((&row["id"], row["resolvedAt"].is_string()), (&finding["id"], true), "{row:#}");

    // What comes back is another finding.
    run(&session, &format!("ALTER TABLE {}.alumno ADD COLUMN apodo text", world.schema)).await;
    assert_eq!(check(&world).await["opened"], 1);
    assert_eq!(listed(&world, "").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_did_it_is_told_only_where_it_is_known() {
    let (world, session) = migrated(world().await).await;
    let table = format!("{}.alumno", world.schema);
    run(&session, &format!("ALTER TABLE {table} ADD COLUMN apodo text")).await;
    run(&session, "SET application_name = 'cron'").await;
    run(&session, &format!("ALTER TABLE {table} ADD COLUMN edad int")).await;
    run(&session, &format!("COMMENT ON TABLE {table} IS 'Nadie lo sabe'")).await;
    run(&session, &format!("CREATE INDEX \"Por edad\" ON {table} (edad)")).await;
    let found = check(&world).await;
    let by = |part: &str| {
        let findings = found["findings"].as_array().expect("a list");
        let finding = findings.iter().find(|f| f["words"].as_str().is_some_and(|words| words.contains(part)));
        finding.unwrap_or_else(|| panic!("{part}: {found:#}"))["application"].clone()
    };
    assert_eq!(
        (by("apodo"), by("alumno.edad"), by("Por edad")),
        (json!("psql de la directora"), json!("cron"), json!("cron"))
    );
    // Two sessions touched the table, and neither says what of it.
    assert_eq!(by("comment"), Value::Null, "{found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superuser_who_switches_the_audit_off_and_drops_a_policy_is_found() {
    let files = vec![
        (
            "migrations/alumnos{s}/20260103000000_protect.up.sql",
            "ALTER TABLE alumnos{s}.alumno ENABLE ROW LEVEL SECURITY;\n\
             CREATE POLICY todos ON alumnos{s}.alumno FOR SELECT USING (true);",
        ),
        (
            "migrations/alumnos{s}/20260103000000_protect.down.sql",
            "DROP POLICY todos ON alumnos{s}.alumno;\nALTER TABLE alumnos{s}.alumno DISABLE ROW LEVEL SECURITY;",
        ),
    ];
    let (world, session) = migrated(world_with(Setup { files, ..Setup::default() }).await).await;
    run(&session, "ALTER EVENT TRIGGER migration_service_audit_drops DISABLE").await;
    run(&session, &format!("DROP POLICY todos ON {}.alumno", world.schema)).await;

    let found = check(&world).await;
    assert_eq!((&found["agrees"], &found["opened"]), (&json!(false), &json!(2)), "{found:#}");
    let words = |kind: &str| {
        let finding = found["findings"].as_array().expect("a list").iter().find(|finding| finding["kind"] == kind);
        finding.expect("one of each kind")["words"].as_str().expect("words").to_owned()
    };
    assert!(words("drift").contains("policy") && words("drift").contains("todos"), "{found:#}");
    assert!(words("audit").contains("migration_service_audit_drops is switched off"), "{found:#}");
    let audit = listed(&world, "service=alumnos-service").await;
    assert!(audit.len() == 1 && audit[0]["kind"] == "drift", "the audit is no one service's: {audit:#?}");

    let undo = format!("CREATE POLICY todos ON {}.alumno FOR SELECT USING (true)", world.schema);
    run(&session, &undo).await;
    run(&session, "ALTER EVENT TRIGGER migration_service_audit_drops ENABLE ALWAYS").await;
    let gone = check(&world).await;
    assert_eq!((&gone["agrees"], &gone["resolved"]), (&json!(true), &json!(2)), "{gone:#}");
    assert!(listed(&world, "state=open").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_gone_with_the_history_is_found() {
    let (world, session) = migrated(world().await).await;
    assert_eq!(check(&world).await["agrees"], true);
    run(
        &session,
        "DROP EVENT TRIGGER migration_service_audit; DROP EVENT TRIGGER migration_service_audit_drops; \
         DROP SCHEMA migration_service CASCADE",
    )
    .await;
    let found = check(&world).await;
    assert_eq!(found["agrees"], false);
    assert!(found["findings"].to_string().contains("its end was cut off"), "{found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_looks_by_itself_and_once_for_all_copies() {
    let variables = vec![("MIGRATION_SERVICE_WATCH_INTERVAL", "1s".to_owned())];
    let (world, session) = migrated(world_with(Setup { variables, ..Setup::default() }).await).await;
    // A second copy of the service, on the same master database.
    let settings = Settings { port: 0, watch_interval: Some(Duration::from_secs(1)), ..Settings::default() };
    let service = Service::bind(other(&world), &settings).await.expect("a free port");
    let shutdown = CancellationToken::new();
    let second = tokio::spawn(service.serve(shutdown.clone()));

    run(&session, &format!("ALTER TABLE {}.alumno ADD COLUMN apodo text", world.schema)).await;
    let page = until(&world, "/api/drift?state=open", |page| page["findings"][0].is_object()).await;
    let [finding] = page["findings"].as_array().expect("a list").as_slice() else { panic!("{page:#}") };
    let looks = |page: &Value| page["looks"][0]["looks"].as_i64().unwrap_or_default();
    let later = looks(&page) + 3;
    let page = until(&world, "/api/drift", |page| looks(page) >= later).await;
    // Nothing has moved since, which later looks tell from the fingerprint; it is still one row.
    let [same] = page["findings"].as_array().expect("a list").as_slice() else { panic!("{page:#}") };
    assert_eq!(same["id"], finding["id"]);
    assert!(same["lastSeenAt"].as_str() > finding["lastSeenAt"].as_str(), "{page:#}");

    run(&session, &format!("ALTER TABLE {}.alumno DROP COLUMN apodo", world.schema)).await;
    until(&world, "/api/drift?state=resolved", |page| page["findings"][0]["id"] == finding["id"]).await;
    assert_eq!(listed(&world, "").await.len(), 1);
    shutdown.cancel();
    second.await.expect("no panic").expect("in good order");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_copies_one_looks_and_a_dead_ones_claim_lapses() {
    let (world, _session) = migrated(world().await).await;
    let go_on = CancellationToken::new();
    let copies: Vec<Operations> = (0..6).map(|_| other(&world)).collect();
    let looks = futures_util::future::join_all(copies.iter().map(|copy| copy.look_after("development", HOUR, &go_on)));
    let done = looks.await.into_iter().filter(|look| matches!(look, Ok(Look::Done(_)))).count();
    assert_eq!(done, 1, "one of six looks");
    let look = copies[1].look_after("development", HOUR, &go_on).await;
    assert!(matches!(look, Ok(Look::NotDue)), "it was looked at a moment ago: {look:?}");

    let master = admin(&format!("master{}", world.suffix())).await;
    let old = "UPDATE migration_service.watch_look SET looked_at = looked_at - interval '2 hours'";
    let claim = "UPDATE migration_service.watch_look SET claim = gen_random_uuid(), claimed_until = now() + interval";
    run(&master, &format!("{old}; {claim} '5 minutes'")).await;
    let look = copies[0].look_after("development", HOUR, &go_on).await;
    assert!(matches!(look, Ok(Look::NotDue)), "another copy looks: {look:?}");
    run(&master, &format!("{claim} '-1 second'")).await;
    let look = copies[0].look_after("development", HOUR, &go_on).await;
    assert!(matches!(look, Ok(Look::Done(_))), "that copy is gone: {look:?}");
    let looks = world.get("/api/drift").await.is(200)["looks"][0]["looks"].clone();
    assert_eq!(looks, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stands_aside_for_a_run() {
    let (world, session) = migrated(world().await).await;
    for (name, sql) in [("up", "ADD COLUMN apodo text"), ("down", "DROP COLUMN apodo")] {
        let path = format!("migrations/{}/20260201000000_add_nickname.{name}.sql", world.schema);
        let sql = format!("ALTER TABLE {}.alumno {sql};", world.schema);
        std::fs::write(world.project.path().join(path), sql).expect("a file");
    }
    // The run has its lock, and waits for this.
    run(&session, &format!("BEGIN; LOCK TABLE {}.alumno IN ACCESS SHARE MODE", world.schema)).await;
    let body = world.post("/api/migrations/run", json!({})).await.is(202);
    let problem = world.post("/api/drift/check", json!({})).await.is_problem(409, "busy");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("a run is under way")), "{problem:#}");
    run(&session, "ROLLBACK").await;
    let id = body["migrationId"].as_str().expect("an id").parse().expect("a UUID");
    world.operations.live_run(id).expect("it was just started").finished().await;
    assert_eq!(check(&world).await["agrees"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_are_filtered_paged_and_kept_to_the_callers_services() {
    let (world, session) = migrated(world().await).await;
    let cursos = world.schema.replace("alumnos", "cursos");
    for table in [format!("{}.uno", world.schema), format!("{}.dos", world.schema), format!("{cursos}.tres")] {
        run(&session, &format!("CREATE TABLE {table} ()")).await;
    }
    assert_eq!(check(&world).await["opened"], 3);
    let first = world.get("/api/drift?limit=2").await.is(200);
    let last = world.get(&format!("/api/drift?limit=2&before={}", first["next"])).await.is(200);
    assert_eq!(
        (first["findings"].as_array().map(Vec::len), last["findings"].as_array().map(Vec::len)),
        (Some(2), Some(1))
    );
    assert_eq!(last.get("next"), None);
    assert_eq!(listed(&world, "service=cursos-service&environment=development").await.len(), 1);
    assert_eq!(listed(&world, "service=nada-service").await.len(), 0);
    assert_eq!(listed(&world, "environment=production").await.len(), 0);

    let token = world.token(&["read"], &["cursos-service"]).await;
    let page = Answer::of(world.request(Method::GET, "/api/drift").bearer_auth(&token)).await.is(200);
    assert_eq!(page["findings"].as_array().map(Vec::len), Some(1), "{page:#}");
    let foreign = world.request(Method::GET, "/api/drift?service=alumnos-service").bearer_auth(&token);
    Answer::of(foreign).await.is_problem(403, "service_not_allowed");
    let look = world.request(Method::POST, "/api/drift/check").bearer_auth(&token);
    Answer::of(look).await.is_problem(403, "service_not_allowed");

    world.get("/api/drift?state=closed").await.is_problem(400, "invalid_query");
    world.get("/api/drift?limit=501").await.is_problem(400, "invalid_query");
    world.get("/api/drift?service=nadie").await.is_problem(404, "unknown_service");
    world.get("/api/drift?environment=nowhere").await.is_problem(404, "unknown_environment");
    world.post("/api/drift/check", json!({ "environment": "nowhere" })).await.is_problem(404, "unknown_environment");
    let never = world.post("/api/drift/check", json!({ "environment": "production" })).await;
    never.is_problem(409, "database_not_created");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_at_is_said_and_nothing_is_resolved() {
    let (world, session) = migrated(world().await).await;
    run(&session, &format!("ALTER TABLE {}.alumno ADD COLUMN apodo text", world.schema)).await;
    assert_eq!(check(&world).await["opened"], 1);
    run(
        &session,
        "INSERT INTO migration_service.journal (schema_name, version, direction, statement, statement_checksum, state, run_id) \
         VALUES ('x', 1, 'up', 1, '', 'done', gen_random_uuid())",
    )
    .await;
    let seen = check(&world).await;
    assert!(seen["trouble"].as_str().is_some_and(|text| text.contains("interrupted")), "{seen:#}");
    assert_eq!(
        (&seen["agrees"], &seen["resolved"], &seen["findings"][0]["resolvedAt"]),
        (&json!(false), &json!(0), &json!(null))
    );
    let looks = world.get("/api/drift").await.is(200)["looks"][0].clone();
    assert_eq!(looks["trouble"], seen["trouble"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_run_that_brings_a_new_catalogue_its_rights_are_nobodys_drift() {
    let (world, session) = migrated(world().await).await;
    let path = world.project.path().join("config/services.toml");
    let catalogue = std::fs::read_to_string(&path).expect("the file");
    let more = format!("references = [\"{}\"]\n", world.schema);
    std::fs::write(&path, catalogue.trim_end().to_owned() + "\n" + &more).expect("room");
    let seen = check(&world).await;
    assert_eq!((&seen["agrees"], &seen["trouble"]), (&json!(true), &json!(null)), "{seen:#}");
    // What people do is found all the same.
    run(&session, &format!("CREATE TABLE {}.uno ()", world.schema)).await;
    assert_eq!(check(&world).await["opened"], 1);
}

/// What the watches of all tests log: level and text. One for the process: where a subscriber is a thread's, whether an event
/// is wanted at all is decided by the thread that comes first.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(tracing::Level, String)>>>);

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).expect("the only one");
    log
});

impl Log {
    /// What was logged of a world since the last time.
    fn taken(&self, world: &World) -> Vec<(tracing::Level, String)> {
        self.0.lock().expect("no panic").extract_if(.., |(_, text)| text.contains(world.suffix())).collect()
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("db_migrations_service::watch")
    }

    fn event(&self, event: &tracing::Event<'_>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                write!(self.0, "{field}={value:?} ").expect("a String has room");
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().expect("no panic").push((*event.metadata().level(), text.0));
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_logged_once_when_it_comes_and_once_when_it_goes() {
    LazyLock::force(&LOG);
    let (world, session) = migrated(world().await).await;
    let go_on = CancellationToken::new();
    let look = async || {
        let look = world.operations.look_after("development", Duration::ZERO, &go_on).await;
        assert!(matches!(look, Ok(Look::Done(_))), "{look:?}");
        LOG.taken(&world)
    };
    run(&session, &format!("ALTER TABLE {}.alumno ADD COLUMN apodo text", world.schema)).await;
    let [(level, text)] = <[_; 1]>::try_from(look().await).expect("one event");
    assert_eq!(level, tracing::Level::WARN);
    for part in ["alumno.apodo: added", "environment=\"development\"", "kind=\"drift\"", "psql de la directora"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(look().await.is_empty(), "it stays");
    run(&session, &format!("ALTER TABLE {}.alumno DROP COLUMN apodo", world.schema)).await;
    let [(level, text)] = <[_; 1]>::try_from(look().await).expect("one event");
    assert!(level == tracing::Level::INFO && text.contains("no longer found"), "{level}: {text}");
    assert!(look().await.is_empty(), "it is gone");
}
