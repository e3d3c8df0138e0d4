//! The service's own tables while copies of two releases are there: upgraded by one at a time, and never made older.

use std::sync::Arc;

use db_migrations_service::operations::{MasterError, Operations, Recording};
use db_migrations_service::settings::Settings;
use db_migrations_service::targets::Targets;
use postgres_link::AdminConn;

use crate::listening::master;
use crate::world::{World, url, world};

/// "profe mst", the lock that upgrades take.
const LOCK: i64 = 0x7072_6F66_6D73_7400;

/// A copy that has just started, on the world's master database.
fn copy(world: &World) -> Operations {
    let place = url(&format!("master{}", world.suffix()));
    let lookup = |name: &str| (name == "MIGRATION_SERVICE_MASTER_DB_URL").then(|| place.clone());
    let settings = Settings::read(&lookup).expect("good settings");
    let project = Arc::clone(world.operations.project());
    let targets = Targets::resolve(&project.catalogue, &settings, &lookup, None).expect("good targets");
    Operations::new(project, targets, Recording::First)
}

async fn value(session: &AdminConn, sql: &str) -> String {
    let outcome = session.batch(sql).await.expect("the superuser may");
    outcome.value(outcome.statements.len() - 1, 0).unwrap_or_default().to_owned()
}

async fn version(session: &AdminConn) -> String {
    value(session, "SELECT value FROM migration_service.master_meta WHERE key = 'schema_version'").await
}

async fn set(session: &AdminConn, version: &str) {
    let sql = format!("UPDATE migration_service.master_meta SET value = '{version}' WHERE key = 'schema_version'");
    session.batch(&sql).await.expect("the superuser may");
}

fn is_newer(error: &MasterError) -> bool {
    error.message.contains("has tables of version 99, this program knows up to")
        && error.cure.as_deref() == Some("run the program version that wrote them, or a newer one")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_starts_refuses_newer_tables_and_one_that_works_goes_on() {
    let world = world().await;
    let session = master(&world).await;
    set(&session, "99").await;
    let refused = copy(&world).master().start().await.expect_err("it knows less");
    assert!(is_newer(&refused), "{refused:?}");
    // Also when its session breaks.
    let ended = value(
        &session,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name = 'profe master'",
    );
    assert_ne!(ended.await, "0");
    let goes_on = async {
        // Until it has noticed, a request or two find the session broken.
        while world.operations.master().ping().await.is_err() {}
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), goes_on).await.expect("it goes on");
    world.get("/api/migrations/runs").await.is(200);
    assert_eq!(version(&session).await, "99", "nobody makes them older");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_upgrade_one_after_the_other_and_look_again_when_their_turn_comes() {
    let world = world().await;
    let (session, holder) = (master(&world).await, master(&world).await);
    let newest = version(&session).await;
    let waiting = async |many: &str| {
        let sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        while value(&session, sql).await != many {}
    };
    let start = || {
        let copy = copy(&world);
        tokio::spawn(async move { copy.master().start().await })
    };
    set(&session, "5").await;
    holder.batch(&format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK})")).await.expect("it is free");
    let (one, other) = (start(), start());
    waiting("2").await;
    assert_eq!(version(&session).await, "5", "nobody upgrades without the lock");
    holder.batch("COMMIT").await.expect("it is open");
    for started in [one, other] {
        started.await.expect("no panic").expect("it starts");
    }
    assert_eq!(version(&session).await, newest);

    // The one before has brought newer tables.
    set(&session, "5").await;
    holder.batch(&format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK})")).await.expect("it is free");
    let late = start();
    waiting("1").await;
    set(&holder, "99").await;
    holder.batch("COMMIT").await.expect("it is open");
    let refused = late.await.expect("no panic").expect_err("it knows less");
    assert!(is_newer(&refused), "{refused:?}");
    assert_eq!(version(&session).await, "99");
}
