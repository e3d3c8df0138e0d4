//! Two runners, other sessions' locks, sessions that die.

use std::time::Duration;

use migration_engine::event::Outcome;
use migration_engine::request::{RunContext, RunRequest};
use migration_engine::status::MigrationState;
use migration_engine::{ErrorCode, Event};

use crate::help::{World, all, names, until};

const RUNS_SLEEP: &str =
    "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep')";

fn sleeper(w: &World) {
    w.project.migration("alpha/1_slow", "CREATE TABLE alpha.slow ();\nSELECT pg_sleep(600);", "DROP TABLE alpha.slow;");
}

#[tokio::test]
async fn of_two_runners_on_one_target_one_works_and_one_is_told() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;");
    let first = w.engine().prepare_run(all(), w.context()).await.unwrap();
    let error = w.refused().await;
    assert_eq!(error.code, ErrorCode::Busy);
    assert!(error.message.starts_with("the target's migration lock is held by profe migrate "), "{}", error.message);
    assert!(error.message.contains("by a test") && error.blockers.len() == 1, "{error:#?}");
    assert_eq!(names(&first.execute().await.done), ["alpha/1"]);
    assert_eq!(w.run_ok().await, [""; 0]);
}

#[tokio::test]
async fn on_two_targets_both_work() {
    let (one, other) = (World::new().await, World::new().await);
    for w in [&one, &other] {
        w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;");
    }
    let (a, b) = (
        one.engine().prepare_run(all(), one.context()).await.unwrap(),
        other.engine().prepare_run(all(), other.context()).await.unwrap(),
    );
    let (a, b) = tokio::join!(a.execute(), b.execute());
    assert_eq!((a.outcome, b.outcome), (Outcome::Completed, Outcome::Completed));
}

#[tokio::test]
async fn an_index_is_built_concurrently_while_another_runner_waits_for_the_lock() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t (x int);", "DROP TABLE alpha.t;");
    w.run_ok().await;
    w.project.migration("alpha/2_ix", "CREATE INDEX CONCURRENTLY t_x ON alpha.t (x);", "DROP INDEX alpha.t_x;");
    let first = w.engine().prepare_run(all(), w.context()).await.unwrap();
    let patient = RunContext { wait_for_lock: Duration::from_mins(1), ..w.context() };
    let waiting = tokio::spawn({
        let engine = w.engine();
        async move { engine.prepare_run(all(), patient).await.map(|run| run.plan().migrations.len()) }
    });
    // The second one polls: it has been seen asking.
    until(&w.db, "SELECT count(*) >= 2 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_try_advisory_lock%, 1)'").await;
    let report = first.execute().await;
    assert_eq!(names(&report.done), ["alpha/2"], "{:#?}", report.error);
    assert_eq!(waiting.await.unwrap().unwrap(), 0, "it found nothing left to do");
}

#[tokio::test]
async fn a_lock_that_does_not_come_is_given_up_shown_and_tried_again() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;");
    w.run_ok().await;
    w.project.migration("alpha/2_x", "ALTER TABLE alpha.t ADD COLUMN x int;", "ALTER TABLE alpha.t DROP COLUMN x;");
    let blocker = w.db.session().await;
    blocker.batch("SET application_name = 'a long report'; BEGIN; SELECT * FROM alpha.t").await.unwrap();
    let error = w.run_err().await;
    assert_eq!(error.code, ErrorCode::LockTimeout);
    assert!(error.message.contains("no lock in 3 attempts"), "{}", error.message);
    assert_eq!(w.events.lock().unwrap().iter().filter(|e| matches!(e, Event::Retrying { of: 3, .. })).count(), 2);
    blocker.batch("ROLLBACK").await.unwrap();
    assert_eq!(w.run_ok().await, ["alpha/2"]);
}

#[tokio::test]
async fn who_is_waited_for_is_shown() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;");
    w.run_ok().await;
    let catalogue = w.project.read("config/services.toml").replace("lock_timeout_ms = 150", "lock_timeout_ms = 30000");
    w.project.write("config/services.toml", &catalogue);
    w.project.migration("alpha/2_x", "ALTER TABLE alpha.t ADD COLUMN x int;", "ALTER TABLE alpha.t DROP COLUMN x;");
    let blocker = w.db.session().await;
    blocker.batch("SET application_name = 'a long report'; BEGIN; SELECT * FROM alpha.t").await.unwrap();
    let free = async {
        while !w.saw(|e| matches!(e, Event::Waiting { blockers, .. } if blockers.iter().any(|b| b.application.as_deref() == Some("a long report")))) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        blocker.batch("ROLLBACK").await.unwrap();
    };
    let (report, ()) = tokio::join!(w.run(), free);
    assert_eq!(names(&report.done), ["alpha/2"]);
}

#[tokio::test]
async fn a_cancelled_run_leaves_nothing_half_done() {
    let w = World::new().await;
    sleeper(&w);
    let cancel = async {
        until(&w.db, RUNS_SLEEP).await;
        w.cancel.cancel();
    };
    let (report, ()) = tokio::join!(w.run(), cancel);
    assert_eq!((report.outcome, report.error.unwrap().code), (Outcome::Cancelled, ErrorCode::Cancelled));
    assert!(w.relations().await.is_empty());
    assert_eq!(w.state("alpha/1").await, MigrationState::Pending);
}

#[tokio::test]
async fn a_connection_that_drops_mid_run_is_one_clear_error_and_nothing_half_applied() {
    for victim in
        ["wait_event = 'PgSleep'", "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 1)"]
    {
        let w = World::new().await;
        sleeper(&w);
        let cut = async {
            until(&w.db, RUNS_SLEEP).await;
            let kill = format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND {victim}"
            );
            w.db.value(&kill).await;
        };
        let (report, ()) = tokio::join!(w.run(), cut);
        let error = report.error.unwrap();
        assert_eq!(error.code, ErrorCode::DatabaseUnavailable, "{victim}: {error:#?}");
        assert!(w.relations().await.is_empty());
        w.project.migration("alpha/1_slow", "CREATE TABLE alpha.slow ();", "DROP TABLE alpha.slow;");
        assert_eq!(w.run_ok().await, ["alpha/1"]);
    }
}

#[tokio::test]
async fn the_orphaned_statement_of_a_dead_run_is_ended_before_the_history_is_read() {
    let w = World::new().await;
    sleeper(&w);
    let run = tokio::spawn({
        let (engine, context) = (w.engine(), w.context());
        async move { engine.prepare_run(all(), context).await.unwrap().execute().await }
    });
    until(&w.db, RUNS_SLEEP).await;
    // The runner loses its lock session only; its statement goes on. Another runner comes at once.
    let worker =
        w.db.value("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'")
            .await
            .unwrap();
    w.db.value("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").await;
    w.project.migration("alpha/1_slow", "CREATE TABLE alpha.slow ();", "DROP TABLE alpha.slow;");
    let report = w.engine().prepare_run(all(), w.context()).await;
    // The dying runner may still be letting go; then the second one is told so, and comes again.
    if let Ok(prepared) = report {
        assert_eq!(names(&prepared.execute().await.done), ["alpha/1"]);
    }
    assert_eq!(run.await.unwrap().outcome, Outcome::Failed);
    until(&w.db, &format!("SELECT NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = {worker})")).await;
    w.run_ok().await;
    assert_eq!(w.state("alpha/1").await, MigrationState::Applied);
}

#[tokio::test]
async fn nothing_pending_takes_no_lock() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;");
    w.run_ok().await;
    w.project.migration("alpha/2_u", "CREATE TABLE alpha.u ();", "DROP TABLE alpha.u;");
    let held = w.engine().prepare_run(all(), w.context()).await.unwrap();
    w.project.remove_migration("alpha/2_u");
    let report = w.try_run(RunRequest { ..all() }).await.unwrap();
    assert_eq!(report.done.len(), 0);
    drop(held);
}
