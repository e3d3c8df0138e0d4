//! With a real Prometheus and a real Alertmanager: each default alert fires, and is seen to be over.

use std::time::Duration;

use db_migrations_service::alerts::rules::rule_file;
use migration_engine::catalogue::alerts::AlertRule;
use reqwest::Method;
use serde_json::json;
use time::OffsetDateTime;

use crate::alert_servers::{Server, until};
use crate::alerts::{WRONG, catalogue, evaluate, quiet_world_with};
use crate::world::{Setup, World, admin, world_with};

/// Nothing is waited for. What is scarce for all tests together is made so elsewhere: `alert_conditions.rs`.
const AT_ONCE: &str = "[alerts.low-disk]\nenabled = false\n[alerts.too-many-connections]\nenabled = false\n\
                       [alerts.stale-backup]\nenabled = true\nfor = \"0s\"\n[alerts.drift]\nfor = \"0s\"\n\
                       [alerts.long-lock-wait]\nthreshold = 1\n[alerts.certificate-missing]\nfor = \"0s\"\n\
                       [alerts.target-unreachable]\nfor = \"0s\"\n[environments.away]\ndatabase = \"away{s}\"\n";

fn all() -> Vec<&'static str> {
    let elsewhere = [AlertRule::LowDisk, AlertRule::TooManyConnections, AlertRule::StaleSample];
    let mut all: Vec<_> =
        AlertRule::ALL.into_iter().filter(|rule| !elsewhere.contains(rule)).map(AlertRule::as_str).collect();
    all.sort_unstable();
    all
}

async fn look(world: &World) {
    world.operations.sample_now().await;
}

async fn check(world: &World) {
    world.post("/api/drift/check", json!({ "environment": "development" })).await.is(200);
}

/// Everything goes wrong in development; in production, a migration is pending without a proof.
async fn break_everything(world: &World) {
    let development = format!("dev{}", world.suffix());
    let failed = world.post("/api/migrations/run", json!({ "wait": true })).await;
    assert!(!failed.status.is_success(), "{failed:?}");
    world.post("/api/backup/create", json!({ "service": "alumnos-service", "wait": true })).await.is(200);
    let master = admin(&format!("master{}", world.suffix())).await;
    let damaged = "UPDATE migration_service.backup SET verified_at = now(), verification_ms = 1, findings = ARRAY['x'], \
                   started_at = started_at - interval '3 days', finished_at = finished_at - interval '3 days'";
    master.batch(damaged).await.expect("it may");
    let session = admin(&development).await;
    // The chain ends somewhere, …
    check(world).await;
    session.batch(&format!("ALTER TABLE {}.alumno ADD COLUMN apodo text", world.schema)).await.expect("it may");
    // … and then elsewhere.
    session.batch("DELETE FROM migration_service.audit_entry").await.expect("a superuser may");
    check(world).await;
}

/// Whether somebody may connect to the database of its own that no service has anything in.
async fn is_open(world: &World, yes: bool) {
    let sql = format!("ALTER DATABASE away{} ALLOW_CONNECTIONS {yes}", world.suffix());
    admin("postgres").await.batch(&sql).await.expect("it may");
}

async fn mend_everything(world: &World) {
    is_open(world, true).await;
    let development = format!("dev{}", world.suffix());
    let session = admin(&development).await;
    session.batch(&format!("ALTER TABLE {}.alumno DROP COLUMN apodo", world.schema)).await.expect("it may");
    let path = WRONG[0].0.replace("{s}", world.suffix());
    std::fs::write(world.project.path().join(path), "SELECT 1;").expect("a file");
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let order = json!({ "environment": "production", "wait": true });
    world.post("/api/migrations/run", order).await.is(200);
    for environment in ["development", "production"] {
        world.post("/api/backup/create", json!({ "environment": environment, "wait": true })).await.is(200);
    }
    check(world).await;
    let master = admin(&format!("master{}", world.suffix())).await;
    // A chain that was broken cannot be mended; somebody has to look at it, and to begin a new one.
    master
        .batch(
            "UPDATE migration_service.watch_finding SET resolved_at = now() WHERE resolved_at IS NULL;\n\
             UPDATE migration_service.backup SET findings = '{}'",
        )
        .await
        .expect("it may");
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_fires_each_default_alert_and_sees_it_resolved() {
    let files = catalogue(AT_ONCE).into_iter().chain(WRONG).collect();
    let world = world_with(Setup { files, ..Setup::default() }).await;
    let alertmanager = Server::alertmanager().await;
    let rules = rule_file(world.operations.catalogue());
    let _prometheus = Server::prometheus(world.address, &rules, &alertmanager).await;
    admin("postgres").await.batch(&format!("CREATE DATABASE away{}", world.suffix())).await.expect("it may");
    is_open(&world, false).await;
    break_everything(&world).await;
    let development = format!("dev{}", world.suffix());
    let (holder, waiter) = (admin(&development).await, admin(&development).await);
    holder.batch(&format!("BEGIN; LOCK TABLE {}.alumno", world.schema)).await.expect("a lock");
    let sql = format!("SELECT count(*) FROM {}.alumno", world.schema);
    let waiting = tokio::spawn(async move { waiter.batch(&sql).await });
    until("all fire", async || {
        look(&world).await;
        alertmanager.firing().await == all()
    })
    .await;

    holder.batch("COMMIT").await.expect("it lets go");
    waiting.await.expect("no panic").expect("it had its turn");
    mend_everything(&world).await;
    until("all is over", async || {
        look(&world).await;
        alertmanager.firing().await.is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_sees_that_nobody_has_looked_for_long() {
    let brief = "[alerts.stale-sample]\nthreshold = 5\n";
    let world = quiet_world_with(&[], brief, Vec::new()).await;
    let alertmanager = Server::alertmanager().await;
    let rules = rule_file(world.operations.catalogue());
    look(&world).await;
    let _prometheus = Server::prometheus(world.address, &rules, &alertmanager).await;
    until("it fires", async || alertmanager.firing().await == ["stale-sample"]).await;
    until("it is over", async || {
        look(&world).await;
        alertmanager.firing().await.is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_tells_alertmanager_itself_until_it_is_over() {
    let alertmanager = Server::alertmanager().await;
    let variables = vec![("MIGRATION_SERVICE_ALERTMANAGER_URL", alertmanager.url())];
    let world = quiet_world_with(&WRONG, "", variables).await;
    let tell = async || {
        world.operations.tell_alerts(OffsetDateTime::now_utc(), Duration::from_secs(15)).await.expect("it answers");
    };
    world.post("/api/migrations/run", json!({ "wait": true })).await;
    evaluate(&world, 0).await;
    tell().await;
    tell().await;
    until("it fires", async || alertmanager.firing().await == ["failed-migration"]).await;
    let alerts = alertmanager.get("/api/v2/alerts").await.expect("it answers");
    assert_eq!(alerts.as_array().map(Vec::len), Some(1), "told twice, it is one: {alerts}");
    let labels = json!({ "alertname": "ProfeFailedMigration", "rule": "failed-migration", "severity": "critical",
        "environment": "development", "service": "alumnos-service" });
    assert_eq!(alerts[0]["labels"], labels, "as Prometheus has them with the same rules");
    assert_eq!(alerts[0]["annotations"]["summary"], "1 migration of alumnos-service failed in development");

    let path = WRONG[0].0.replace("{s}", world.suffix());
    std::fs::write(world.project.path().join(path), "SELECT 1;").expect("a file");
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    evaluate(&world, 0).await;
    tell().await;
    until("it is over", async || alertmanager.firing().await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_evaluates_and_tells_by_itself() {
    let alertmanager = Server::alertmanager().await;
    let variables = vec![
        ("MIGRATION_SERVICE_ALERTMANAGER_URL", alertmanager.url()),
        ("MIGRATION_SERVICE_SAMPLE_INTERVAL", "1s".to_owned()),
    ];
    let world = quiet_world_with(&WRONG, "", variables).await;
    let run = world.request(Method::POST, "/api/migrations/run").json(&json!({ "wait": true }));
    crate::world::Answer::of(run).await;
    until("it fires", async || alertmanager.firing().await == ["failed-migration"]).await;
    world.stop().await.expect("in good order");
}
