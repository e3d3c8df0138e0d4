//! Runs over many databases, which work with one session in each as long as one is enough.

use migration_engine::ErrorCode;
use migration_engine::event::Outcome;
use migration_engine::status::{MigrationState, RunReport};

use crate::budget::{Load, keeps_others_waiting, used_table};
use crate::help::{World, all, names, until};

const SLEEPS: &str =
    "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";

async fn run(w: &World) -> RunReport {
    w.engine().sparing_sessions().prepare_run(all(), w.context()).await.unwrap().execute().await
}

#[tokio::test]
async fn a_quick_run_has_one_session() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;");
    let prepared = w.engine().sparing_sessions().prepare_run(all(), w.context()).await.unwrap();
    let ours = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'profe migrate%'";
    assert_eq!(w.db.value(ours).await.as_deref(), Some("1"));
    let busy = w.refused().await;
    assert_eq!(busy.code, ErrorCode::Busy, "whoever has two sessions is told too: {busy:#?}");
    assert_eq!(names(&prepared.execute().await.done), ["alpha/1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_it_is_seen_and_given_way_to() {
    let w = used_table().await;
    keeps_others_waiting(&w);
    let load = Load::on(&w);
    let error = run(&w).await.error.expect("it gives way");
    let (done, refused) = load.end().await;
    assert!(refused.is_empty() && done > 0, "somebody waited too long: {refused:?}");
    assert_eq!(error.code, ErrorCode::BlocksOthers, "{error:#?}");
}

#[tokio::test]
async fn what_commits_in_the_middle_works_too() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t (x int);", "DROP TABLE alpha.t;");
    w.project.migration("alpha/2_ix", "CREATE INDEX CONCURRENTLY t_x ON alpha.t (x);", "DROP INDEX alpha.t_x;");
    assert_eq!(names(&run(&w).await.done), ["alpha/1", "alpha/2"]);
}

#[tokio::test]
async fn the_statement_of_a_runner_that_died_ends_and_with_it_the_lock() {
    let w = World::new().await;
    w.project.migration("alpha/1_slow", "CREATE TABLE alpha.slow ();\nSELECT pg_sleep(600);", "DROP TABLE alpha.slow;");
    let dies = tokio::spawn({
        let (engine, context) = (w.engine().sparing_sessions(), w.context());
        async move { engine.prepare_run(all(), context).await.unwrap().execute().await }
    });
    until(&w.db, SLEEPS).await;
    dies.abort();
    assert!(dies.await.unwrap_err().is_cancelled());
    until(&w.db, &SLEEPS.replace("= 1", "= 0")).await;
    w.project.migration("alpha/1_slow", "CREATE TABLE alpha.slow ();", "DROP TABLE alpha.slow;");
    let report = run(&w).await;
    assert_eq!(
        (report.outcome, names(&report.done)),
        (Outcome::Completed, vec!["alpha/1".to_owned()]),
        "{:#?}",
        report.error
    );
    assert_eq!(w.state("alpha/1").await, MigrationState::Applied);
}
