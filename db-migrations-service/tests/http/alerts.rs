//! Alerts: what fires and when, what becomes of it, and who may see it.

use std::time::Duration;

use db_migrations_service::master::alerts::{Alert, AlertState};
use db_migrations_service::settings::Settings;
use postgres_link::AdminConn;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::alert_servers::until;
use crate::listening::{Copy, master};
use crate::world::{Setup, World, admin, world_with};

pub const WRONG: [(&str, &str); 2] = [
    ("migrations/alumnos{s}/20260103000000_wrong.up.sql", "SELECT 1 / 0;"),
    ("migrations/alumnos{s}/20260103000000_wrong.down.sql", "SELECT 1;"),
];

/// The default project with these lines in its catalogue.
pub fn catalogue(alerts: &'static str) -> Vec<(&'static str, &'static str)> {
    let base = "[project]\nname = \"escuela\"\ndefault_environment = \"development\"\n\
                [environments.development]\nurl_variable = \"DEVELOPMENT_URL\"\ndatabase = \"dev{s}\"\n\
                [environments.production]\nurl_variable = \"PRODUCTION_URL\"\ndatabase = \"prod{s}\"\nprotected = true\n\
                [services.alumnos-service]\nschemas = [\"alumnos{s}\"]\n\
                [services.cursos-service]\nschemas = [\"cursos{s}\"]\nreferences = [\"alumnos{s}\"]\n";
    vec![("config/services.toml", Box::leak(format!("{base}{alerts}").into_boxed_str()))]
}

/// Only what a test asks for: disks and the production without backups are the machine's business.
const QUIET: &str = "[alerts.low-disk]\nenabled = false\n[alerts.stale-backup]\nenabled = false\n\
                     [alerts.certificate-missing]\nenabled = false\n";

async fn quiet_world(files: &[(&'static str, &'static str)], more: &str) -> World {
    quiet_world_with(files, more, Vec::new()).await
}

pub async fn quiet_world_with(
    files: &[(&'static str, &'static str)],
    more: &str,
    variables: Vec<(&'static str, String)>,
) -> World {
    let alerts: &'static str = Box::leak(format!("{QUIET}{more}").into_boxed_str());
    let files = catalogue(alerts).into_iter().chain(files.iter().copied()).collect();
    world_with(Setup { files, variables, ..Setup::default() }).await
}

fn moment(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc() + time::Duration::seconds(seconds)
}

/// Looks at everything, and evaluates as if it were so many seconds later.
pub async fn evaluate(world: &World, seconds: i64) -> Vec<(String, AlertState)> {
    world.operations.sample_now().await;
    let changed = world.operations.evaluate_alerts(moment(seconds)).await.expect("the master database answers");
    changed.into_iter().map(|Alert { rule, state, .. }| (rule, state)).collect()
}

async fn listed(world: &World, query: &str) -> Vec<Value> {
    let answer = world.get(&format!("/api/alerts{query}")).await.is(200);
    answer["alerts"].as_array().expect("a list").clone()
}

fn fires(rule: &str) -> Vec<(String, AlertState)> {
    vec![(rule.to_owned(), AlertState::Firing)]
}

fn over(rule: &str) -> Vec<(String, AlertState)> {
    vec![(rule.to_owned(), AlertState::Resolved)]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_migration_fires_once_and_is_over_when_it_is_mended() {
    let world = quiet_world(&WRONG, "").await;
    assert_eq!(evaluate(&world, 0).await, []);
    let run = world.post("/api/migrations/run", json!({ "wait": true })).await;
    assert!(!run.status.is_success(), "{run:?}");
    assert_eq!(evaluate(&world, 15).await, fires("failed-migration"));
    assert_eq!(evaluate(&world, 30).await, [], "it is told once");
    let alerts = listed(&world, "?state=firing").await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let alert = &alerts[0];
    assert_eq!(alert["rule"], "failed-migration");
    assert_eq!((&alert["environment"], &alert["service"]), (&json!("development"), &json!("alumnos-service")));
    assert_eq!((&alert["severity"], &alert["value"]), (&json!("critical"), &json!(1.0)));
    assert_eq!(alert["summary"], "1 migration of alumnos-service failed in development");
    assert!(alert["firedAt"].is_string() && alert["resolvedAt"].is_null(), "{alert}");

    let path = WRONG[0].0.replace("{s}", world.suffix());
    std::fs::write(world.project.path().join(path), "SELECT 1;").expect("a file");
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    assert_eq!(evaluate(&world, 45).await, over("failed-migration"));
    assert_eq!(evaluate(&world, 60).await, []);
    assert_eq!(listed(&world, "?state=firing").await, Vec::<Value>::new());
    let past = listed(&world, "?state=resolved&rule=failed-migration&environment=development").await;
    assert!(past.len() == 1 && past[0]["resolvedAt"].is_string(), "{past:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_lasted_is_pending_and_forgotten() {
    let world = quiet_world(&WRONG, "[alerts.failed-migration]\nfor = \"5m\"\nseverity = \"warning\"\n").await;
    world.post("/api/migrations/run", json!({ "wait": true })).await;
    assert_eq!(evaluate(&world, 0).await, []);
    let pending = listed(&world, "").await;
    assert!(pending.len() == 1 && pending[0]["state"] == "pending" && pending[0]["firedAt"].is_null(), "{pending:?}");
    assert_eq!(evaluate(&world, 200).await, [], "not for long enough");
    // What the file was is gone with it: the failure stays, so the rule's subject is removed instead.
    admin(&format!("dev{}", world.suffix()))
        .await
        .batch("DELETE FROM migration_service.failure")
        .await
        .expect("it may");
    for name in WRONG.map(|(path, _)| path.replace("{s}", world.suffix())) {
        std::fs::remove_file(world.project.path().join(name)).expect("it is there");
    }
    assert_eq!(evaluate(&world, 250).await, []);
    assert_eq!(listed(&world, "").await, Vec::<Value>::new(), "nobody was told, and nothing stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_fires_when_it_has_lasted_and_stays_where_it_cannot_be_looked_at() {
    let world = quiet_world(&[], "[alerts.too-many-connections]\nthreshold = 1\nfor = \"60s\"\n").await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let database = format!("dev{}", world.suffix());
    let (_one, _two, _three) = (admin(&database).await, admin(&database).await, admin(&database).await);
    assert_eq!(evaluate(&world, 0).await, []);
    assert_eq!(evaluate(&world, 61).await, fires("too-many-connections"));
    let server = admin("postgres").await;
    server.batch(&format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false")).await.expect("it may");
    let sql = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'");
    server.batch(&sql).await.expect("it may");
    assert_eq!(evaluate(&world, 75).await, [], "whether it is so cannot be seen");
    assert_eq!(listed(&world, "?state=firing").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_wait_for_a_lock_fires_and_is_over() {
    let world = quiet_world(&[], "[alerts.long-lock-wait]\nthreshold = 1\n").await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let database = format!("dev{}", world.suffix());
    let (holder, waiter) = (admin(&database).await, admin(&database).await);
    holder.batch(&format!("BEGIN; LOCK TABLE {}.alumno", world.schema)).await.expect("a lock");
    let sql = format!("SELECT count(*) FROM {}.alumno", world.schema);
    let waiting = tokio::spawn(async move { waiter.batch(&sql).await });
    let seen = async { while evaluate(&world, 0).await != fires("long-lock-wait") {} };
    tokio::time::timeout(Duration::from_secs(30), seen).await.expect("the wait is seen");
    holder.batch("COMMIT").await.expect("it lets go");
    waiting.await.expect("no panic").expect("it had its turn");
    assert_eq!(evaluate(&world, 0).await, over("long-lock-wait"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_a_recent_backup_fires_until_there_is_one() {
    // What was looked at now is old a day later.
    let rules = "[alerts.stale-backup.environments.development]\nenabled = true\nfor = \"0s\"\n\
                 [alerts.stale-sample]\nenabled = false\n";
    let world = quiet_world(&[], rules).await;
    assert_eq!(evaluate(&world, 0).await, [], "nothing is applied yet, so nothing can be lost");
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    assert_eq!(evaluate(&world, 0).await, [fires("stale-backup"), fires("stale-backup")].concat());
    world.post("/api/backup/create", json!({ "service": "alumnos-service", "wait": true })).await.is(200);
    assert_eq!(evaluate(&world, 0).await, over("stale-backup"));
    let left = listed(&world, "?state=firing").await;
    assert!(left.len() == 1 && left[0]["service"] == "cursos-service" && left[0]["value"].is_null(), "{left:?}");
    world.post("/api/backup/create", json!({ "wait": true })).await.is(200);
    assert_eq!(evaluate(&world, 0).await, over("stale-backup"), "one of the whole database covers all");
    let later = evaluate(&world, 27 * 3_600).await;
    assert_eq!(later, [fires("stale-backup"), fires("stale-backup")].concat());
    let words = listed(&world, "?state=firing&service=alumnos-service").await[0]["summary"].clone();
    assert_eq!(words, "the newest backup of alumnos-service in development is 27 hours old");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_drift_and_a_broken_audit_fire() {
    let world = quiet_world(&[], "[alerts.drift]\nfor = \"0s\"\n").await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let made = world.post("/api/backup/create", json!({ "service": "alumnos-service", "wait": true })).await.is(200);
    assert_eq!(evaluate(&world, 0).await, []);
    let id = made["backupId"].as_str().expect("an id");
    let verify = async || world.post(&format!("/api/backup/{id}/verify"), json!({ "wait": true })).await.is(200);
    let part = world.project.path().join("backups").join(id).join("data-1.000");
    let whole = std::fs::read(&part).expect("a part");
    let mut spoilt = whole.clone();
    spoilt[whole.len() / 2] ^= 1;
    std::fs::write(&part, spoilt).expect("our own file");
    assert_eq!(verify().await["verification"]["status"], "failed");
    assert_eq!(evaluate(&world, 0).await, fires("failed-backup"));
    assert_eq!(listed(&world, "?state=firing").await[0]["subject"], "verification");
    std::fs::write(&part, whole).expect("our own file");
    assert_eq!(verify().await["verification"]["status"], "verified");
    assert_eq!(evaluate(&world, 0).await, over("failed-backup"));

    let session = admin(&format!("dev{}", world.suffix())).await;
    session.batch(&format!("ALTER TABLE {}.alumno ADD COLUMN apodo text", world.schema)).await.expect("it may");
    world.post("/api/drift/check", json!({ "environment": "development" })).await.is(200);
    assert_eq!(evaluate(&world, 0).await, fires("drift"));
    session.batch(&format!("ALTER TABLE {}.alumno DROP COLUMN apodo", world.schema)).await.expect("it may");
    session.batch("DELETE FROM migration_service.audit_entry").await.expect("a superuser may");
    world.post("/api/drift/check", json!({ "environment": "development" })).await.is(200);
    let mut changed = evaluate(&world, 0).await;
    changed.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(changed, [fires("broken-audit-chain"), over("drift")].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_migration_without_a_certificate_fires_where_proofs_are_required() {
    let on = "[alerts.low-disk]\nenabled = false\n[alerts.stale-backup]\nenabled = false\n\
              [alerts.certificate-missing]\nfor = \"0s\"\n";
    let world = world_with(Setup { files: catalogue(on), ..Setup::default() }).await;
    let changed = evaluate(&world, 0).await;
    assert_eq!(changed, [fires("certificate-missing"), fires("certificate-missing")].concat());
    let alerts = listed(&world, "?service=alumnos-service").await;
    assert_eq!(alerts[0]["environment"], "production", "development requires no proof");
    assert_eq!(alerts[0]["summary"], "2 migrations of alumnos-service pending in production without a certificate");
    let order = json!({ "environment": "production", "wait": true });
    world.post("/api/migrations/run", order).await.is(200);
    assert_eq!(evaluate(&world, 0).await, [over("certificate-missing"), over("certificate-missing")].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fires_for_the_data_and_for_the_backups() {
    let full = "[alerts.low-disk]\nthreshold = 100\nfor = \"0s\"\n[alerts.stale-backup]\nenabled = false\n\
                [alerts.certificate-missing]\nenabled = false\n";
    let world = world_with(Setup { files: catalogue(full), ..Setup::default() }).await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    world.post("/api/backup/create", json!({ "service": "alumnos-service", "wait": true })).await.is(200);
    assert_eq!(evaluate(&world, 0).await, [fires("low-disk"), fires("low-disk")].concat());
    let about: Vec<_> =
        listed(&world, "").await.iter().map(|a| (a["environment"].clone(), a["subject"].clone())).collect();
    assert!(about.contains(&(json!("development"), json!("data"))), "{about:?}");
    assert!(about.contains(&(Value::Null, json!("backups"))), "{about:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_answer_fires_until_it_does_and_old_figures_are_told() {
    let world = quiet_world(&[], "[alerts.target-unreachable]\nfor = \"0s\"\n").await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let session = admin("postgres").await;
    let open = async |yes: bool| {
        let sql = format!("ALTER DATABASE dev{} ALLOW_CONNECTIONS {yes}", world.suffix());
        session.batch(&sql).await.expect("it may");
    };
    assert_eq!(evaluate(&world, 0).await, []);
    open(false).await;
    assert_eq!(evaluate(&world, 0).await, fires("target-unreachable"));
    let alerts = listed(&world, "?state=firing").await;
    assert_eq!(alerts[0]["summary"], "the database of development does not answer");
    open(true).await;
    assert_eq!(evaluate(&world, 0).await, over("target-unreachable"));

    // The production's database is not made yet, and is looked at all the same.
    let mut changed = evaluate(&world, 301).await;
    changed.dedup();
    assert_eq!(changed, fires("stale-sample"));
    let summary = listed(&world, "?state=firing").await[0]["summary"].as_str().expect("a sentence").to_owned();
    assert!(summary.contains("was last looked at 30") && summary.ends_with(" s ago"), "{summary}");
    let mut changed = evaluate(&world, 0).await;
    changed.dedup();
    assert_eq!(changed, over("stale-sample"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_copy_evaluates_and_another_when_it_is_gone() {
    let world = quiet_world(&[], "").await;
    let master = world.operations.master();
    let (one, other) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    let lease = Duration::from_mins(1);
    assert!(master.hold_alerts(one, lease).await.expect("it answers"));
    assert!(!master.hold_alerts(other, lease).await.expect("it answers"));
    assert!(master.hold_alerts(one, Duration::ZERO).await.expect("it answers"), "whoever has it keeps it");
    assert!(master.hold_alerts(other, lease).await.expect("it answers"), "it has lapsed");
    assert!(!master.hold_alerts(one, lease).await.expect("it answers"));
}

/// What the row says who evaluates, in one word.
async fn evaluator(session: &AdminConn, question: &str) -> String {
    let sql = format!("SELECT {question} FROM migration_service.alert_evaluation");
    let answer = session.batch(&sql).await.expect("the table is there");
    answer.value(0, 0).unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_the_first_look_fires() {
    let world = quiet_world(&WRONG, "").await;
    let session = master(&world).await;
    // Each of these copies looks once in this test.
    let settings = || Settings { sample_interval: Some(Duration::from_hours(1)), ..Settings::default() };
    let first = Copy::with(&world, settings()).await;
    until("it evaluates", async || evaluator(&session, "held_until > now()").await == "t").await;
    assert_eq!(evaluator(&session, "held_until <= now() + interval '1 minute'").await, "t", "however rarely it looks");
    first.stop().await;
    assert_eq!(evaluator(&session, "held_until < now()").await, "t", "it was given back");

    let run = world.post("/api/migrations/run", json!({ "wait": true })).await;
    assert!(!run.status.is_success(), "{run:?}");
    let second = Copy::with(&world, settings()).await;
    until("it fires", async || listed(&world, "?state=firing").await.len() == 1).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_died_on_this_machine_is_not_waited_for() {
    let world = quiet_world(&[], "").await;
    let (master, session) = (world.operations.master(), master(&world).await);
    let (one, other, third) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    let lease = Duration::from_mins(1);
    assert!(master.hold_alerts(one, lease).await.expect("it answers"));
    assert!(!master.hold_alerts(other, lease).await.expect("it answers"), "that process lives");
    // The number is had by another process by now.
    let dies = "UPDATE migration_service.alert_evaluation \
                SET process = jsonb_set(process, '{process_start}', to_jsonb((process->>'process_start')::int8 + 1))";
    session.batch(dies).await.expect("it may");
    assert!(master.hold_alerts(other, lease).await.expect("it answers"), "that process is gone");
    assert!(!master.hold_alerts(third, lease).await.expect("it answers"), "this one lives");

    // Prolonged and given back by who has it, and by nobody else.
    master.hold_alerts(other, Duration::from_secs(1)).await.expect("it answers");
    master.prolong_alerts(third, lease).await.expect("it answers");
    assert_eq!(evaluator(&session, "held_until < now() + interval '2 seconds'").await, "t");
    master.prolong_alerts(other, lease).await.expect("it answers");
    assert_eq!(evaluator(&session, "held_until > now() + interval '30 seconds'").await, "t");
    master.release_alerts(third).await.expect("it answers");
    assert!(!master.hold_alerts(third, lease).await.expect("it answers"));
    master.release_alerts(other).await.expect("it answers");
    assert!(master.hold_alerts(third, lease).await.expect("it answers"));
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_come_in_pages_to_those_who_may_read_them() {
    let full = "[alerts.low-disk]\nenabled = false\n[alerts.stale-backup]\nenabled = true\nfor = \"0s\"\n";
    let world = world_with(Setup { files: catalogue(full), ..Setup::default() }).await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    evaluate(&world, 0).await;
    let first = world.get("/api/alerts?limit=1&rule=stale-backup").await.is(200);
    let second = world.get(&format!("/api/alerts?limit=1&rule=stale-backup&before={}", first["next"])).await.is(200);
    assert_ne!(first["alerts"][0]["service"], second["alerts"][0]["service"]);
    world.get("/api/alerts?state=open").await.is_problem(400, "invalid_query");
    let unknown = world.get("/api/alerts?rule=low-disc").await.is_problem(400, "invalid_query");
    assert!(unknown["cure"].as_str().is_some_and(|cure| cure.contains("low-disk")), "{unknown}");
    world.get("/api/alerts?environment=marte").await.is_problem(404, "unknown_environment");
    world.get("/api/alerts?limit=0").await.is_problem(400, "invalid_query");

    let token = world.token(&["read"], &["cursos-service"]).await;
    let request = world.request(reqwest::Method::GET, "/api/alerts?rule=stale-backup").bearer_auth(token);
    let seen = crate::world::Answer::of(request).await.is(200);
    let services: Vec<_> = seen["alerts"].as_array().expect("a list").iter().map(|a| a["service"].clone()).collect();
    assert_eq!(services, ["cursos-service"], "of others it is told nothing");
}
