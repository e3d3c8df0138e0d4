//! Nobody waits for a migration longer than the budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use migration_engine::{ErrorCode, Event};

use crate::help::{World, names};

/// Others may wait so long; a load session complains when it waits longer than its own, larger limit.
const BUDGET_MS: u64 = 400;
const PATIENCE_MS: u64 = 1_500;

pub async fn used_table() -> World {
    let w = World::new().await;
    let catalogue = w.project.read("config/services.toml");
    let run = format!("[run]\nblocking_budget_ms = {BUDGET_MS}");
    w.project.write("config/services.toml", &catalogue.replace("[run]", &run));
    w.project.migration(
        "alpha/1_t",
        "CREATE TABLE alpha.t (a int); INSERT INTO alpha.t VALUES (1);",
        "DROP TABLE alpha.t;",
    );
    w.run_ok().await;
    w
}

/// A migration that has its lock at once and for long.
pub fn keeps_others_waiting(w: &World) {
    w.project.migration(
        "alpha/2_slow",
        "ALTER TABLE alpha.t ADD COLUMN b int; SELECT pg_sleep(60);",
        "ALTER TABLE alpha.t DROP COLUMN b;",
    );
}

/// Four sessions that read and write the table all the time. Answers how many statements went through, and what was
/// refused.
pub struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    sessions: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    pub fn on(w: &World) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut sessions = Vec::new();
        for n in 0..4 {
            let (connect, stop, done) = (w.db.connect().clone(), Arc::clone(&stop), Arc::clone(&done));
            sessions.push(tokio::spawn(async move {
                let session = postgres_link::connect(&connect).await.expect("a session");
                session.batch(&format!("SET lock_timeout = {PATIENCE_MS}")).await.expect("a setting");
                let statement = if n == 0 { "UPDATE alpha.t SET a = a + 1" } else { "SELECT count(*) FROM alpha.t" };
                let mut refused = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    match session.batch(statement).await {
                        Ok(_) => _ = done.fetch_add(1, Ordering::Relaxed),
                        Err(error) => refused.push(error.to_string()),
                    }
                }
                refused
            }));
        }
        Self { stop, done, sessions }
    }

    pub async fn end(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut refused = Vec::new();
        for session in self.sessions {
            refused.extend(session.await.expect("no panic"));
        }
        (self.done.load(Ordering::Relaxed), refused)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_would_keep_others_waiting_gives_way_and_says_so() {
    let w = used_table().await;
    keeps_others_waiting(&w);
    let load = Load::on(&w);
    let error = w.run_err().await;
    let (done, refused) = load.end().await;
    assert!(refused.is_empty(), "somebody waited longer than {PATIENCE_MS} ms: {refused:?}");
    assert!(done > 0);
    assert_eq!(error.code, ErrorCode::BlocksOthers, "{error:#?}");
    assert!(!error.blockers.is_empty() && error.cure.is_some());
    assert_eq!(w.events.lock().unwrap().iter().filter(|e| matches!(e, Event::Yielded { .. })).count(), 3);
    assert_eq!(
        w.db.value("SELECT count(*) FROM pg_attribute WHERE attrelid = 'alpha.t'::regclass AND attname = 'b'")
            .await
            .as_deref(),
        Some("0")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_one_goes_through_under_load() {
    let w = used_table().await;
    w.project.migration("alpha/2_quick", "ALTER TABLE alpha.t ADD COLUMN b int;", "ALTER TABLE alpha.t DROP COLUMN b;");
    let load = Load::on(&w);
    let report = w.run().await;
    let (done, refused) = load.end().await;
    assert_eq!(names(&report.done), ["alpha/2"], "{:#?}", report.error);
    assert!(refused.is_empty() && done > 0, "{refused:?}");
}

/// A reader that never ends stands before the migration, and everybody else behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_queues_behind_a_migration_that_waits_itself() {
    let w = used_table().await;
    let catalogue = w.project.read("config/services.toml").replace("lock_timeout_ms = 150", "lock_timeout_ms = 30000");
    w.project.write("config/services.toml", &catalogue);
    let reader = w.db.session().await;
    reader.batch("SET application_name = 'a long report'; BEGIN; SELECT * FROM alpha.t").await.unwrap();
    // Long enough to be told of before anything is sent.
    reader.batch(&format!("SELECT pg_sleep({})", BUDGET_MS as f64 * 1.2 / 1_000.0)).await.unwrap();
    w.project.migration("alpha/2_x", "ALTER TABLE alpha.t ADD COLUMN b int;", "ALTER TABLE alpha.t DROP COLUMN b;");
    let load = Load::on(&w);
    let error = w.run_err().await;
    let (_, refused) = load.end().await;
    assert!(refused.is_empty(), "somebody waited longer than {PATIENCE_MS} ms: {refused:?}");
    assert_eq!(error.code, ErrorCode::BlocksOthers, "{error:#?}");
    assert!(error.message.contains("waited for it, which itself waited for a long report (pid "), "{error:#?}");
    let told = |e: &Event| matches!(e, Event::InTheWay { blockers } if blockers.iter().any(|b| b.application.as_deref() == Some("a long report")));
    assert!(w.saw(told));
}
