//! Runs over many databases, which work with one session in each as long as one is enough.

use migration_engine::event::Outcome;
use migration_engine::status::{MigrationState, RunReport};
use migration_engine::{Engine, EngineError, ErrorCode, Target};
use testkit::faults::OwnServer;

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

/// A server of which somebody takes the last session while a run has its first.
struct Full {
    server: OwnServer,
    world: World,
}

impl Full {
    async fn new() -> Self {
        // Sessions that replicate count, too, where they may be.
        let few = &[("max_connections", "12"), ("max_wal_senders", "0")];
        Self { server: aside(move || OwnServer::start(few)).await, world: World::new().await }
    }

    fn engine(&self) -> Engine {
        let connect = self.server.connect("postgres");
        let target = Target { environment: "development".to_owned(), connect, create_database: false };
        Engine::new(self.world.project.open(), target)
    }

    /// A run whose second session cannot be had; how it ends, and what is there then.
    async fn run_crowded(self) -> (Self, RunReport, Option<String>) {
        let prepared = self.engine().sparing_sessions().prepare_run(all(), self.world.context()).await.unwrap();
        let (this, crowd) = aside(move || {
            let crowd = self.server.take_all_sessions();
            (self, crowd)
        })
        .await;
        let report = prepared.execute().await;
        aside(move || drop(crowd)).await;
        let there = "SELECT concat_ws(' ', (SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = to_regnamespace('alpha')), \
                     (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), (SELECT count(*) FROM pg_index WHERE NOT indisvalid))";
        let session = this.server.session("postgres").await;
        let there = session.batch(there).await.unwrap().value(0, 0).map(str::to_owned);
        (this, report, there)
    }
}

/// What blocks, on a thread that may.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

fn assert_told(error: Option<Box<EngineError>>, migration: &str) {
    let error = error.expect("nobody would see whom it keeps waiting");
    assert_eq!(error.code, ErrorCode::DatabaseUnavailable, "{error:#?}");
    assert!(error.message.contains("too many clients"), "{error:#?}");
    assert!(error.message.contains("the second session"), "{error:#?}");
    assert!(error.cure.as_deref().is_some_and(|told| told.contains("raise max_connections")), "{error:#?}");
    assert_eq!(error.migration.map(|id| id.to_string()).as_deref(), Some(migration));
}

/// The statement lasts, so that a second session is wanted.
#[tokio::test]
async fn a_server_that_has_no_second_session_takes_a_migration_back_and_the_lock_is_free() {
    let full = Full::new().await;
    full.world.project.migration("alpha/1_t", "CREATE TABLE alpha.t ();", "DROP TABLE alpha.t;");
    let slow = "CREATE TABLE alpha.slow ();\nSELECT pg_sleep(600);";
    full.world.project.migration("alpha/2_slow", slow, "DROP TABLE alpha.slow;");
    let (full, report, there) = full.run_crowded().await;
    assert_eq!((report.outcome, names(&report.done)), (Outcome::Failed, vec!["alpha/1".to_owned()]));
    assert_told(report.error, "alpha/2");
    assert_eq!(there.as_deref(), Some("t 0 0"), "what was in hand, and the lock");

    full.world.project.migration("alpha/2_slow", "CREATE TABLE alpha.slow ();", "DROP TABLE alpha.slow;");
    let again = full.engine().prepare_run(all(), full.world.context()).await.unwrap().execute().await;
    assert_eq!(names(&again.done), ["alpha/2"], "{:#?}", again.error);
}

/// What commits in the middle is not begun without somebody who could look after it.
#[tokio::test]
async fn a_server_that_has_no_second_session_begins_nothing_that_commits_in_the_middle() {
    let full = Full::new().await;
    full.world.project.migration("alpha/1_t", "CREATE TABLE alpha.t (x int);", "DROP TABLE alpha.t;");
    let index = "CREATE INDEX CONCURRENTLY t_x ON alpha.t (x);";
    full.world.project.migration("alpha/2_ix", index, "DROP INDEX alpha.t_x;");
    let (full, report, there) = full.run_crowded().await;
    assert_eq!((report.outcome, names(&report.done)), (Outcome::Failed, vec!["alpha/1".to_owned()]));
    assert_told(report.error, "alpha/2");
    assert_eq!(there.as_deref(), Some("t 0 0"), "nothing of it, and the lock");
    let again = full.engine().prepare_run(all(), full.world.context()).await.unwrap().execute().await;
    assert_eq!(names(&again.done), ["alpha/2"], "{:#?}", again.error);
}
