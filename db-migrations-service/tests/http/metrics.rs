//! `/metrics`: what Prometheus is told, and at whose cost.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use db_migrations_service::operations::{Caller, Operations, Recording, RunOrder};
use kernel::Actor;
use reqwest::Method;
use serde_json::json;

use crate::listening::Copy;
use crate::world::{Answer, Setup, World, admin, world, world_with};

/// A scrape, by the metric with its labels.
pub struct Scrape {
    text: String,
    pub values: BTreeMap<String, f64>,
}

impl Scrape {
    async fn of(world: &World) -> Self {
        Self::at(world, world.address).await
    }

    /// Of another copy of the service.
    async fn at(world: &World, address: std::net::SocketAddr) -> Self {
        let mut request = world.request(Method::GET, "/metrics").build().expect("a request");
        *request.url_mut() = format!("http://{address}/metrics").parse().expect("a URL");
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = Answer::of(reqwest::RequestBuilder::from_parts(client, request)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let text = answer.text.replace(world.suffix(), "");
        let line = |line: &str| {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            (name.to_owned(), value.parse().expect("a number"))
        };
        let values = text.lines().filter(|line| !line.starts_with('#')).map(line).collect();
        Self { text, values }
    }

    #[track_caller]
    pub fn value(&self, metric: &str) -> f64 {
        *self.values.get(metric).unwrap_or_else(|| panic!("there is no {metric} in\n{}", self.text))
    }

    #[track_caller]
    pub fn is(&self, metric: &str, value: f64) {
        assert!((self.value(metric) - value).abs() < f64::EPSILON, "{metric} is {}, not {value}", self.value(metric));
    }

    /// Those with this in their name.
    fn series(&self, part: &str) -> Vec<&str> {
        self.values.keys().map(String::as_str).filter(|metric| metric.contains(part)).collect()
    }

    pub fn has(&self, metric: &str) -> bool {
        self.values.contains_key(metric)
    }

    pub async fn now(world: &World) -> Self {
        world.operations.sample_now().await;
        Self::of(world).await
    }
}

async fn migrated() -> World {
    let world = world().await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    world
}

fn migrations(service: &str, state: &str) -> String {
    format!("profe_migration_migrations{{service=\"{service}\",environment=\"development\",state=\"{state}\"}}")
}

/// What `promtool check metrics` has to say.
fn promtool(text: &str) -> String {
    let mut program = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed: scripts/needs.sh test-database");
    program.stdin.take().expect("it was piped").write_all(text.as_bytes()).expect("it reads");
    let output = program.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    format!("{}{}", String::from_utf8_lossy(&said), if output.status.success() { "" } else { "(failed)" })
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_are_counted_by_service_environment_and_state() {
    let world = world().await;
    let before = Scrape::now(&world).await;
    before.is(&migrations("alumnos-service", "pending"), 2.0);
    assert!(!before.has("pg_up{environment=\"development\"}"), "a database that a run will create is not down");

    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let after = Scrape::now(&world).await;
    after.is(&migrations("alumnos-service", "applied"), 2.0);
    after.is(&migrations("alumnos-service", "pending"), 0.0);
    after.is(&migrations("cursos-service", "applied"), 1.0);
    after.is(&migrations("nada-service", "applied"), 0.0);
    after.is(
        "profe_migration_run_duration_seconds_count{environment=\"development\",kind=\"run\",outcome=\"completed\"}",
        1.0,
    );
    after.is("profe_migration_apply_duration_seconds_count{environment=\"development\"}", 3.0);
    assert!(!after.text.contains("staging"), "an environment without a database has nothing to tell");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_counted_by_its_class() {
    let files = vec![
        ("migrations/alumnos{s}/20260103000000_wrong.up.sql", "SELECT 1 / 0;"),
        ("migrations/alumnos{s}/20260103000000_wrong.down.sql", "SELECT 1;"),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    let answer = world.post("/api/migrations/run", json!({ "wait": true })).await;
    assert!(!answer.status.is_success(), "{answer:?}");
    let scrape = Scrape::now(&world).await;
    scrape.is("profe_migration_run_failures_total{environment=\"development\",sqlstate_class=\"22\"}", 1.0);
    scrape.is(
        "profe_migration_run_duration_seconds_count{environment=\"development\",kind=\"run\",outcome=\"failed\"}",
        1.0,
    );
    scrape.is(&migrations("alumnos-service", "failed"), 1.0);
}

/// As each call of the command line has them.
async fn run_by_command_line(world: &World) {
    let operations = Operations::new(
        db_migrations_service::project::open(Some(world.project.path())).expect("a good project"),
        world.operations.targets().clone(),
        Recording::Alongside,
    );
    let run = operations.start_run(RunOrder::default(), &Caller::unrestricted(Actor::cli("ana"))).await;
    run.expect("it begins").finished().await;
}

fn failures(class: &str) -> String {
    format!("profe_migration_run_failures_total{{environment=\"development\",sqlstate_class=\"{class}\"}}")
}

fn runs(outcome: &str) -> String {
    format!(
        "profe_migration_run_duration_seconds_count{{environment=\"development\",kind=\"run\",outcome=\"{outcome}\"}}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_command_line_does_is_counted_once_by_every_copy() {
    let files = vec![
        ("migrations/alumnos{s}/20260103000000_wrong.up.sql", "SELECT 1 / 0;"),
        ("migrations/alumnos{s}/20260103000000_wrong.down.sql", "SELECT 1;"),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    let copy = Copy::of(&world, None).await;
    Scrape::now(&world).await.is(&failures("22"), 0.0);
    run_by_command_line(&world).await;
    run_by_command_line(&world).await;
    let by_service = world.post("/api/migrations/run", json!({ "wait": true })).await;
    assert!(!by_service.status.is_success(), "{by_service:?}");
    copy.operations.sample_now().await;
    let here = Scrape::now(&world).await;
    let there = Scrape::at(&world, copy.address).await;
    here.is(&failures("22"), 3.0);
    here.is(&runs("failed"), 3.0);
    there.is(&failures("22"), 3.0);
    let statements = here.value("profe_migration_statement_duration_seconds_count{environment=\"development\"}");
    here.is("profe_migration_statement_duration_seconds_bucket{environment=\"development\",le=\"+Inf\"}", statements);
    assert!(
        statements > 0.0
            && here.value("profe_migration_statement_duration_seconds_sum{environment=\"development\"}") > 0.0
    );
    // A restart forgets nothing.
    copy.stop().await;
    let restarted = Copy::of(&world, None).await;
    restarted.operations.sample_now().await;
    Scrape::at(&world, restarted.address).await.is(&runs("failed"), 3.0);
    restarted.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_can_be_counted_is_there_at_zero_once_it_is_known() {
    let files = vec![
        (
            "migrations/alumnos{s}/20260103000000_own_code.up.sql",
            "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'ZZ001'; END $$;",
        ),
        ("migrations/alumnos{s}/20260103000000_own_code.down.sql", "SELECT 1;"),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    assert!(!Scrape::of(&world).await.has(&failures("22")), "it would jump from 0 to all that ever was");
    let before = Scrape::now(&world).await;
    for class in ["none", "other", "08", "22", "40", "42", "55", "57", "XX"] {
        before.is(&failures(class), 0.0);
    }
    for environment in ["development", "production"] {
        for outcome in ["completed", "failed", "cancelled", "interrupted"] {
            for kind in ["run", "rollback", "seed", "seed_reset"] {
                let of = format!("environment=\"{environment}\",kind=\"{kind}\",outcome=\"{outcome}\"");
                before.is(&format!("profe_migration_run_duration_seconds_count{{{of}}}"), 0.0);
                before.is(&format!("profe_migration_run_duration_seconds_bucket{{{of},le=\"+Inf\"}}"), 0.0);
            }
        }
        for metric in ["lock_retries_total", "lock_yields_total", "statement_duration_seconds_count"] {
            before.is(&format!("profe_migration_{metric}{{environment=\"{environment}\"}}"), 0.0);
        }
    }
    before.is("profe_migration_backup_duration_seconds_count{action=\"restore\",outcome=\"failed\"}", 0.0);
    world.post("/api/migrations/run", json!({ "wait": true })).await;
    let after = Scrape::now(&world).await;
    after.is(&failures("other"), 1.0);
    assert_eq!(before.series("_total"), after.series("_total"), "no event adds a series");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_held_is_a_wait_and_retries() {
    let files = vec![
        (
            "migrations/alumnos{s}/20260103000000_add_apodo.up.sql",
            "ALTER TABLE alumnos{s}.alumno ADD COLUMN apodo text;",
        ),
        ("migrations/alumnos{s}/20260103000000_add_apodo.down.sql", "ALTER TABLE alumnos{s}.alumno DROP COLUMN apodo;"),
        (
            "config/services.toml",
            "[project]\nname = \"escuela\"\ndefault_environment = \"development\"\n\
             [run]\nlock_timeout_ms = 600\nlock_attempts = 2\nretry_delay_ms = 1\n\
             [environments.development]\ndatabase = \"dev{s}\"\n\
             [services.alumnos-service]\nschemas = [\"alumnos{s}\"]\n\
             [services.cursos-service]\nschemas = [\"cursos{s}\"]\nreferences = [\"alumnos{s}\"]\n",
        ),
    ];
    let world = world_with(Setup { files, ..Setup::default() }).await;
    let order = json!({ "wait": true, "to": format!("alumnos{}/20260102000000", world.suffix()) });
    let first = world.post("/api/migrations/run", order).await;
    assert!(first.status.is_success(), "{first:?}");
    let holder = admin(&format!("dev{}", world.suffix())).await;
    holder.batch(&format!("BEGIN; LOCK TABLE {}.alumno IN ACCESS SHARE MODE", world.schema)).await.expect("a lock");
    let refused = world.post("/api/migrations/run", json!({ "wait": true })).await;
    assert!(!refused.status.is_success(), "{refused:?}");
    let scrape = Scrape::now(&world).await;
    assert!(scrape.value("profe_migration_lock_wait_duration_seconds_count{environment=\"development\"}") >= 1.0);
    assert!(scrape.value("profe_migration_lock_wait_duration_seconds_sum{environment=\"development\"}") >= 0.2);
    scrape.is("profe_migration_lock_retries_total{environment=\"development\"}", 1.0);
    scrape.is("profe_migration_lock_waiting_seconds{environment=\"development\"}", 0.0);
    scrape.is("profe_migration_run_failures_total{environment=\"development\",sqlstate_class=\"55\"}", 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_told_under_the_exporters_names() {
    let world = migrated().await;
    let database = format!("dev{}", world.suffix());
    let busy = admin(&database).await;
    busy.batch(&format!("BEGIN; SELECT count(*) FROM {}.alumno", world.schema)).await.expect("a transaction");
    let scrape = Scrape::now(&world).await;
    let here = |rest: &str| format!("{{environment=\"development\",datname=\"dev\"{rest}}}");
    scrape.is("pg_up{environment=\"development\"}", 1.0);
    scrape.is("pg_settings_max_connections{environment=\"development\"}", 200.0);
    scrape.is(&format!("pg_stat_activity_count{}", here(",state=\"idle in transaction\"")), 1.0);
    assert!(
        scrape.value(&format!("pg_stat_activity_max_tx_duration{}", here(",state=\"idle in transaction\""))) >= 0.0
    );
    scrape.is("pg_long_running_transactions{environment=\"development\"}", 1.0);
    assert!(scrape.value(&format!("pg_database_size_bytes{}", here(""))) > 1_000_000.0);
    for column in ["blks_hit", "blks_read", "deadlocks", "xact_commit", "tup_inserted", "temp_bytes", "conflicts"] {
        assert!(scrape.value(&format!("pg_stat_database_{column}{}", here(""))) >= 0.0);
    }
    scrape.is("pg_replication_lag_seconds{environment=\"development\"}", 0.0);
    scrape.is("pg_replication_is_replica{environment=\"development\"}", 0.0);
    let size =
        "profe_migration_schema_size_bytes{environment=\"development\",service=\"alumnos-service\",schema=\"alumnos\"}";
    assert!(scrape.value(size) >= 8192.0);
    // The test's server is on this machine.
    let free = scrape.value("profe_migration_data_directory_free_bytes{environment=\"development\"}");
    assert!(
        free > 0.0 && free <= scrape.value("profe_migration_data_directory_size_bytes{environment=\"development\"}")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_waits_for_a_lock_on_the_target_is_seen() {
    let world = migrated().await;
    let database = format!("dev{}", world.suffix());
    let (holder, waiter) = (admin(&database).await, admin(&database).await);
    holder.batch(&format!("BEGIN; LOCK TABLE {}.alumno", world.schema)).await.expect("a lock");
    let sql = format!("SELECT count(*) FROM {}.alumno", world.schema);
    let waiting = tokio::spawn(async move { waiter.batch(&sql).await });
    let metric = "profe_migration_target_lock_wait_seconds{environment=\"development\"}";
    let seen = async { while Scrape::now(&world).await.value(metric) <= 0.0 {} };
    tokio::time::timeout(Duration::from_secs(20), seen).await.expect("the wait is seen");
    holder.batch("COMMIT").await.expect("it lets go");
    waiting.await.expect("no panic").expect("it had its turn");
    Scrape::now(&world).await.is(metric, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn scraping_asks_no_target() {
    let world = migrated().await;
    let before = Scrape::now(&world).await;
    admin("postgres").await.batch(&format!("DROP DATABASE dev{} WITH (FORCE)", world.suffix())).await.expect("it may");
    let again = Scrape::of(&world).await;
    assert_eq!(before.text, again.text, "the last sample is still what there is");
    let after = Scrape::now(&world).await;
    assert!(!after.has("pg_up{environment=\"development\"}"));
    after.is(&migrations("alumnos-service", "pending"), 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_does_not_answer_is_down() {
    let variables = vec![("PRODUCTION_URL", "postgres://nobody@127.0.0.1:1/prod?sslmode=disable".to_owned())];
    let world = world_with(Setup { variables, ..Setup::default() }).await;
    let scrape = Scrape::now(&world).await;
    scrape.is("pg_up{environment=\"production\"}", 0.0);
    assert!(!scrape.text.contains("pg_settings_max_connections{environment=\"production\"}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_samples_by_itself_with_one_session_for_each_target() {
    let variables = vec![("MIGRATION_SERVICE_SAMPLE_INTERVAL", "1s".to_owned())];
    let world = world_with(Setup { variables, ..Setup::default() }).await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let at = "profe_migration_target_sample_timestamp_seconds{environment=\"development\"}";
    let mut beats = Vec::new();
    let three = async {
        while beats.len() < 3 {
            let scrape = Scrape::of(&world).await;
            let up = scrape.has("pg_up{environment=\"development\"}");
            if let Some(at) = scrape.values.get(at).filter(|at| up && beats.last() != Some(*at)) {
                beats.push(*at);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), three).await.expect("it goes on");
    let session = admin("postgres").await;
    let sql = format!(
        "SELECT count(*), bool_and(extract(epoch FROM backend_start) < {}) FROM pg_stat_activity \
         WHERE datname = 'dev{}' AND application_name = 'profe monitor'",
        beats[1],
        world.suffix()
    );
    let outcome = session.batch(&sql).await.expect("a look");
    assert_eq!((outcome.value(0, 0), outcome.value(0, 1)), (Some("1"), Some("t")), "the session of the first beat");
    // It leaves when the service does.
    world.stop().await.expect("in good order");
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_are_told_with_their_age_their_size_and_their_verification() {
    let world = migrated().await;
    let labels = "{environment=\"development\",service=\"alumnos-service\"}";
    assert!(!Scrape::now(&world).await.has(&format!("profe_migration_backups{labels}")));
    let order = json!({ "service": "alumnos-service", "wait": true });
    let backup = world.post("/api/backup/create", order).await.is(200);
    let id = backup["backupId"].as_str().expect("an id");
    let made = Scrape::now(&world).await;
    let of = |scrape: &Scrape, name: &str| scrape.value(&format!("profe_migration_backup_{name}{labels}"));
    made.is(&format!("profe_migration_backups{labels}"), 1.0);
    made.is(&format!("profe_migration_backup_last_attempt_success{labels}"), 1.0);
    made.is(&format!("profe_migration_backup_last_size_bytes{labels}"), backup["size"].as_f64().expect("a size"));
    let now = of(&made, "last_success_timestamp_seconds");
    assert!((made.value("profe_migration_master_sample_timestamp_seconds") - now).abs() < 60.0, "{now}");
    assert!(of(&made, "last_duration_seconds") >= 0.0);
    assert!(!made.has(&format!("profe_migration_backup_last_verified_timestamp_seconds{labels}")));
    assert!(made.value("profe_migration_backup_storage_free_bytes") > 0.0);

    world.post(&format!("/api/backup/{id}/verify"), json!({ "wait": true })).await.is(200);
    let verified = Scrape::now(&world).await;
    verified.is(&format!("profe_migration_backup_last_verification_success{labels}"), 1.0);
    assert!(of(&verified, "last_verified_timestamp_seconds") >= now);
    for action in ["create", "verify"] {
        let metric = "profe_migration_backup_duration_seconds_count";
        verified.is(&format!("{metric}{{action=\"{action}\",outcome=\"completed\"}}"), 1.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_and_the_audit_are_told() {
    let world = migrated().await;
    let session = admin(&format!("dev{}", world.suffix())).await;
    session.batch(&format!("ALTER TABLE {}.alumno ADD COLUMN apodo text", world.schema)).await.expect("it may");
    world.post("/api/drift/check", json!({ "environment": "development" })).await.is(200);
    let scrape = Scrape::now(&world).await;
    scrape.is("profe_migration_drift_findings{environment=\"development\",service=\"alumnos-service\"}", 1.0);
    scrape.is("profe_migration_audit_chain_intact{environment=\"development\"}", 1.0);
    scrape.is("profe_migration_watch_trouble{environment=\"development\"}", 0.0);
    assert!(scrape.value("profe_migration_watch_last_look_timestamp_seconds{environment=\"development\"}") > 1.0);

    session.batch("DELETE FROM migration_service.audit_entry").await.expect("a superuser may");
    session.batch(&format!("ALTER TABLE {}.alumno DROP COLUMN apodo", world.schema)).await.expect("it may");
    world.post("/api/drift/check", json!({ "environment": "development" })).await.is(200);
    let scrape = Scrape::now(&world).await;
    scrape.is("profe_migration_audit_chain_intact{environment=\"development\"}", 0.0);
    assert!(!scrape.has("profe_migration_drift_findings{environment=\"development\",service=\"alumnos-service\"}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_finds_it_clean() {
    let world = migrated().await;
    let steps = json!({ "wait": true, "steps": 1, "service": "cursos-service", "environment": "development" });
    world.post("/api/migrations/rollback", steps).await.is(200);
    let backup = world.post("/api/backup/create", json!({ "wait": true })).await.is(200);
    let id = backup["backupId"].as_str().expect("an id");
    world.post(&format!("/api/backup/{id}/verify"), json!({ "wait": true })).await.is(200);
    world.post("/api/drift/check", json!({ "environment": "development" })).await.is(200);
    let scrape = Scrape::now(&world).await;
    assert_eq!(promtool(&scrape.text), "", "{}", scrape.text);
    // It would say so.
    assert!(promtool("# TYPE a_count gauge\na_count 1\n").contains("a_count"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_for_who_may_read_all_services() {
    let world = migrated().await;
    let with = async |token: String| Answer::of(world.request(Method::GET, "/metrics").bearer_auth(token)).await;
    assert_eq!(with(world.token(&["read"], &[]).await).await.status, 200);
    with(world.token(&["migrate"], &[]).await).await.is_problem(403, "insufficient_scope");
    with(world.token(&["read"], &["alumnos-service"]).await).await.is_problem(403, "service_not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_words_of_the_catalogue() {
    let world = migrated().await;
    let session = admin(&format!("dev{}", world.suffix())).await;
    session
        .batch("SET application_name = 'ajena'; CREATE SCHEMA ajeno; CREATE TABLE ajeno.t (id int)")
        .await
        .expect("it may");
    let scrape = Scrape::now(&world).await;
    assert!(!scrape.text.contains("ajen"), "{}", scrape.text);
}
