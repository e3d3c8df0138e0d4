//! Vacuuming goes on by itself for minutes on a large table, and whoever queues behind us would queue behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use migration_engine::{Engine, Event, Target};
use testkit::faults::OwnServer;

use crate::help::{World, all, names};

/// Looks for work as often as the server can be told to.
const SOON: [(&str, &str); 2] = [("autovacuum", "on"), ("autovacuum_naptime", "1s")];
/// And then is as slow as it can be told to be, on this table alone.
const SLOWLY: &str = "ALTER TABLE alpha.t SET (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)";
const VACUUMS: &str = "SELECT count(*) > 0 FROM pg_stat_progress_vacuum WHERE relid = 'alpha.t'::regclass";

/// The server would end its vacuum for us after a second; nobody waits so long behind us, so we ask at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vacuum_in_the_way_steps_aside_before_anybody_waits_too_long() {
    let server = tokio::task::spawn_blocking(|| OwnServer::start(&SOON)).await.expect("no panic");
    let w = World::new().await;
    let catalogue = w.project.read("config/services.toml");
    let patient = catalogue.replace("lock_timeout_ms = 150", "lock_timeout_ms = 5000");
    w.project.write("config/services.toml", &patient.replace("[run]", "[run]\nblocking_budget_ms = 400"));
    let target =
        Target { environment: "development".to_owned(), connect: server.connect("postgres"), create_database: false };
    let run = || async {
        Engine::new(w.project.open(), target.clone()).prepare_run(all(), w.context()).await.unwrap().execute().await
    };
    w.project.migration(
        "alpha/1_t",
        "CREATE TABLE alpha.t (a int, b text); INSERT INTO alpha.t SELECT n, repeat('x', 500) FROM generate_series(1, 20000) n;",
        "DROP TABLE alpha.t;",
    );
    assert!(run().await.error.is_none());
    let session = server.session("postgres").await;
    session.batch(SLOWLY).await.unwrap();
    session.batch("UPDATE alpha.t SET a = a + 1").await.unwrap();
    // What it has changed is counted when it goes.
    session.close().await;
    let begun = tokio::task::spawn_blocking(move || {
        server.until(VACUUMS);
        server
    });
    let server = begun.await.expect("no panic");

    // Longer than the budget, shorter than the second after which the server would end the vacuum.
    let user = server.session("postgres").await;
    user.batch("SET lock_timeout = '800ms'").await.unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let used = tokio::spawn({
        let over = Arc::clone(&over);
        async move {
            let mut refused = Vec::new();
            while !over.load(Ordering::Relaxed) {
                refused.extend(user.batch("SELECT count(*) FROM alpha.t WHERE a = 7").await.err());
            }
            refused
        }
    });
    w.project.migration("alpha/2_x", "ALTER TABLE alpha.t ADD COLUMN c int;", "ALTER TABLE alpha.t DROP COLUMN c;");
    let report = run().await;
    over.store(true, Ordering::Relaxed);
    assert_eq!(names(&report.done), ["alpha/2"], "{:#?}", report.error);
    let waited = |e: &Event| matches!(e, Event::Waiting { blockers, .. } if blockers.iter().any(|b| b.query.as_deref().is_some_and(|q| q.starts_with("autovacuum:"))));
    assert!(w.saw(waited), "it was in the way");
    assert!(!w.saw(|e| matches!(e, Event::Yielded { .. } | Event::Retrying { .. })), "and went at once");
    let refused = used.await.unwrap();
    assert!(refused.is_empty(), "{refused:?}");
}
