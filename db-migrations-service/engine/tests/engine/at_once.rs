//! What runs over many databases do in each: as few round trips as there can be, and nothing left out for them.

use std::sync::atomic::Ordering;

use migration_engine::audit::{AuditEntry, AuditFilter};
use migration_engine::request::{RollbackRequest, RollbackTo, Scope};
use migration_engine::status::RunReport;
use migration_engine::{Engine, EngineError, ErrorCode, Target};
use postgres_link::ConnectOptions;

use crate::help::{World, all, names, until};
use crate::proxy;

const LOCKED: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' \
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// A target with one migration, and another one that waits.
async fn one_behind() -> World {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t (id int);", "DROP TABLE alpha.t;");
    assert_eq!(w.run_ok().await, ["alpha/1"]);
    w.project.migration("alpha/2_ix", "CREATE INDEX t_id ON alpha.t (id);", "DROP INDEX alpha.t_id;");
    w
}

async fn try_run(w: &World) -> Result<RunReport, EngineError> {
    Ok(w.engine().sparing_sessions().prepare_run(all(), w.context()).await?.execute().await)
}

async fn run(w: &World) -> Vec<String> {
    let report = try_run(w).await.unwrap_or_else(|error| panic!("{error:#?}"));
    assert!(report.error.is_none(), "{:#?}", report.error);
    names(&report.done)
}

async fn roll_back(w: &World) -> Vec<String> {
    let request = RollbackRequest { scope: Scope::All, to: RollbackTo::Steps(1), dry_run: false };
    let engine = w.engine().sparing_sessions();
    let report = engine.prepare_rollback(request, w.context()).await.unwrap().execute().await;
    assert!(report.error.is_none(), "{:#?}", report.error);
    names(&report.done)
}

/// The log, oldest first.
async fn log(w: &World) -> Vec<AuditEntry> {
    w.engine().seal_audit().await.unwrap();
    let mut entries = w.engine().audit(&AuditFilter::default()).await.unwrap().entries;
    entries.reverse();
    entries
}

#[tokio::test]
async fn a_target_takes_three_round_trips_and_one_where_nothing_is_pending() {
    let w = one_behind().await;
    let proxy = proxy::counting(w.db.connect().host_summary()).await;
    let url = w.db.url().replace(&w.db.connect().host_summary(), &format!("127.0.0.1:{}", proxy.port));
    let connect = ConnectOptions::parse(&url).unwrap();
    let target = Target { environment: "development".to_owned(), connect, create_database: false };
    let engine = Engine::new(w.project.open(), target).sparing_sessions();
    for (trips, done) in [(3, vec!["alpha/2"]), (1, vec![])] {
        let before = proxy.round_trips.load(Ordering::SeqCst);
        let report = engine.prepare_run(all(), w.context()).await.unwrap().execute().await;
        assert_eq!(names(&report.done), done, "{:#?}", report.error);
        // The lock with what stands there; what is referred to; the migration.
        assert_eq!(proxy.round_trips.load(Ordering::SeqCst) - before, trips);
    }
}

#[tokio::test]
async fn a_run_and_its_rollback_are_told_to_the_audit_as_any_other() {
    let w = one_behind().await;
    assert_eq!(run(&w).await, ["alpha/2"]);
    assert_eq!(roll_back(&w).await, ["alpha/2"]);
    let told: Vec<(String, Option<String>)> = log(&w).await.into_iter().map(|e| (e.command, e.migration)).collect();
    let migration = |command: &str, id: &str| (command.to_owned(), Some(id.to_owned()));
    let begun = || ("RUN".to_owned(), None);
    let installed = ("INSTALL".to_owned(), None);
    // Sealed by whoever looked next, so what the two did comes after what they said of themselves.
    assert_eq!(
        told,
        [
            installed,
            begun(),
            migration("MIGRATE", "alpha/1"),
            begun(),
            begun(),
            migration("MIGRATE", "alpha/2"),
            migration("ROLLBACK", "alpha/2"),
        ]
    );
    assert_eq!(w.engine().verify_audit(&[]).await.unwrap().findings, []);
}

/// Whether there is anything to be read of it is told by the size of a file.
#[tokio::test]
async fn what_failed_before_is_known_and_forgotten_when_it_succeeds() {
    let w = one_behind().await;
    w.project.migration("alpha/2_ix", "CREATE INDEX t_id ON alpha.t (nothing);", "DROP INDEX alpha.t_id;");
    let report = try_run(&w).await.unwrap();
    assert_eq!(report.error.map(|error| error.code), Some(ErrorCode::MigrationFailed));
    let failures = || w.db.value("SELECT count(*) FROM migration_service.failure");
    assert_eq!(failures().await.as_deref(), Some("1"));
    w.project.migration("alpha/2_ix", "CREATE INDEX t_id ON alpha.t (id);", "DROP INDEX alpha.t_id;");
    assert_eq!(run(&w).await, ["alpha/2"]);
    assert_eq!(failures().await.as_deref(), Some("0"));
}

#[tokio::test]
async fn whatever_was_done_to_what_records_is_seen_and_put_right() {
    for tampering in [
        "ALTER EVENT TRIGGER migration_service_audit DISABLE",
        "ALTER EVENT TRIGGER migration_service_audit_drops ENABLE REPLICA",
        "DROP EVENT TRIGGER migration_service_audit_drops",
        "DROP EVENT TRIGGER migration_service_audit; CREATE EVENT TRIGGER migration_service_audit ON ddl_command_start EXECUTE FUNCTION migration_service.audit_ddl(); ALTER EVENT TRIGGER migration_service_audit ENABLE ALWAYS",
        "DROP EVENT TRIGGER migration_service_audit; CREATE EVENT TRIGGER migration_service_audit ON ddl_command_end WHEN TAG IN ('COMMENT') EXECUTE FUNCTION migration_service.audit_ddl(); ALTER EVENT TRIGGER migration_service_audit ENABLE ALWAYS",
        "CREATE FUNCTION public.audit_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; DROP EVENT TRIGGER migration_service_audit; CREATE EVENT TRIGGER migration_service_audit ON ddl_command_end EXECUTE FUNCTION public.audit_ddl(); ALTER EVENT TRIGGER migration_service_audit ENABLE ALWAYS",
        "CREATE OR REPLACE FUNCTION migration_service.audit_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'BEGIN END'",
        "ALTER FUNCTION migration_service.audit_ddl() SECURITY INVOKER",
        "ALTER FUNCTION migration_service.audit_ddl() SET search_path = public",
        "DROP TABLE migration_service.audit_chain",
    ] {
        let w = one_behind().await;
        w.db.session().await.batch(tampering).await.unwrap_or_else(|error| panic!("{error}: {tampering}"));
        assert_eq!(run(&w).await, ["alpha/2"]);
        let log = log(&w).await;
        assert_eq!(log.iter().filter(|entry| entry.event == "installation").count(), 2, "{tampering}: {log:#?}");
        let found = w.engine().verify_audit(&[]).await.unwrap().findings;
        assert_eq!(found, [], "{tampering}");
    }
}

#[tokio::test]
async fn a_function_that_somebody_else_could_replace_is_not_trusted() {
    let w = one_behind().await;
    w.db.value("ALTER FUNCTION migration_service.audit_ddl() OWNER TO pg_monitor").await;
    assert_eq!(run(&w).await, ["alpha/2"]);
    let runs = log(&w).await.into_iter().filter(|entry| entry.event == "run");
    assert_eq!(runs.count(), 1, "the second one does not pass for recorded");
}

#[tokio::test]
async fn whoever_may_not_ask_for_the_audit_runs_without() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t (id int);", "DROP TABLE alpha.t;");
    let name = format!("sparing_{}", &w.db.name()[5..17]);
    w.db.value(&format!("CREATE ROLE {name} LOGIN PASSWORD 'pw' CREATEROLE")).await;
    w.db.value(&format!("ALTER DATABASE \"{}\" OWNER TO {name}", w.db.name())).await;
    let connect = w.db.connect().clone().with_user(&name).with_password("pw");
    let target = Target { environment: "development".to_owned(), connect, create_database: false };
    for id in ["alpha/1", "alpha/2"] {
        let engine = Engine::new(w.project.open(), target.clone()).sparing_sessions();
        let report = engine.prepare_run(all(), w.context()).await.unwrap().execute().await;
        assert_eq!(names(&report.done), [id], "{:#?}", report.error);
        w.project.migration("alpha/2_v", "ALTER TABLE alpha.t ADD v text;", "ALTER TABLE alpha.t DROP v;");
    }
}

#[tokio::test]
async fn a_lock_that_another_holds_is_told_where_something_is_pending_and_not_needed_where_nothing_is() {
    let w = one_behind().await;
    let held = w.engine().sparing_sessions().prepare_run(all(), w.context()).await.unwrap();
    let busy = try_run(&w).await.expect_err("the lock is held");
    assert_eq!(busy.code, ErrorCode::Busy, "{busy:#?}");
    w.project.remove_migration("alpha/2_ix");
    assert_eq!(run(&w).await, [] as [&str; 0]);
    held.let_go().await;
    assert_eq!(run(&w).await, [] as [&str; 0]);
    assert_eq!(w.db.value(LOCKED).await.as_deref(), Some("0"), "it is free when nothing was to be done");
}

/// The runner is dead, its statement is not.
#[tokio::test]
async fn the_statement_of_a_dead_run_is_ended_before_the_history_is_read() {
    let w = one_behind().await;
    let dead = w.db.session().await;
    let asleep =
        tokio::spawn(async move { dead.batch("SELECT pg_advisory_lock(1347571526, 3); SELECT pg_sleep(600)").await });
    until(
        &w.db,
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'",
    )
    .await;
    assert_eq!(run(&w).await, ["alpha/2"]);
    assert_eq!(asleep.await.unwrap().unwrap_err().sqlstate(), Some("57P01"));
}
