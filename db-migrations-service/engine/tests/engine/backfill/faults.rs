//! Killed at any message, cut off, restarted, cancelled: the next run goes on, and no batch is done twice.

use std::time::Duration;

use migration_engine::event::Outcome;
use migration_engine::request::RunContext;
use migration_engine::status::MigrationState;
use migration_engine::{Engine, ErrorCode, Event, EventSink, Target};
use postgres_link::ConnectOptions;
use testkit::{seed, start_cluster};

use super::{LEFT_OVERS, plans, progress, slugs};
use crate::help::{World, all, names};
use crate::kill::run_and_kill;
use crate::proxy::When;

/// Every row counts how often it was filled; the contract is refused where that is not once.
fn counted(w: &World, batch_rows: u32) {
    w.project.migration(
        "alpha/2_count",
        &format!(
            "-- part: expand\nALTER TABLE alpha.plans ADD COLUMN filled int NOT NULL DEFAULT 0;\n-- part: backfill\n-- batch-rows: {batch_rows}\n\
             -- remaining: filled <> 1\n-- sync: none: nobody writes here\nUPDATE alpha.plans SET filled = filled + 1;\n\
             -- part: contract\nALTER TABLE alpha.plans ADD CONSTRAINT once CHECK (filled = 1);\n"
        ),
        "ALTER TABLE alpha.plans DROP COLUMN filled;",
    );
}

/// Waits until batches are told of.
async fn progresses(w: &World) {
    while !w.saw(|event| matches!(event, Event::BackfillProgress { .. })) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn is_done(w: &World, what: &str) {
    let report = w.run().await;
    assert!(report.error.is_none(), "{what}: {:#?}", report.error);
    assert_eq!(w.db.value("SELECT count(*) FROM alpha.plans WHERE filled <> 1").await.as_deref(), Some("0"), "{what}");
    assert_eq!(w.db.value(LEFT_OVERS).await.as_deref(), Some("0"), "{what}");
    assert_eq!(w.state("alpha/2").await, MigrationState::Applied, "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_message_a_backfill_goes_on_and_does_nothing_twice() {
    for when in [When::Before, When::After] {
        for fatal in 1.. {
            let w = plans(20).await;
            counted(&w, 10);
            let (sent, ended) = run_and_kill(&w, "run", fatal, when).await;
            if ended {
                assert!(fatal > 15, "the runner sends more messages than {sent}: the killing does not work");
                break;
            }
            is_done(&w, &format!("killed {when:?} message {fatal}")).await;
        }
    }
}

/// Many short runs, each killed somewhere among the batches, end in what one would have done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_it_still_comes_to_its_end() {
    let w = plans(1_000).await;
    counted(&w, 10);
    let mut random = seed();
    let mut last = 0;
    for kill in 0..6 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let when = if random >> 63 == 0 { When::Before } else { When::After };
        let (_, ended) = run_and_kill(&w, "run", 20 + (random >> 33) as usize % 25, when).await;
        assert!(!ended, "it was too fast to be killed {kill} times");
        let done = progress(&w, "alpha/2").await.first().map_or(0, |p| p.rows_done);
        assert!(done >= last, "a crash costs one batch, never the job");
        last = done;
    }
    assert!(last > 100, "{last}");
    is_done(&w, "killed six times").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_backfill_shows_how_far_it_came_and_is_resumed() {
    let w = plans(2_000).await;
    counted(&w, 10);
    let cancel = w.cancel.clone();
    let context = RunContext {
        events: EventSink::new(move |event| {
            if matches!(event, Event::BackfillProgress { .. }) {
                cancel.cancel();
            }
        }),
        ..w.context()
    };
    let report = w.engine().prepare_run(all(), context).await.unwrap().execute().await;
    assert_eq!((report.outcome, report.error.unwrap().code), (Outcome::Cancelled, ErrorCode::Cancelled));
    assert_eq!(w.state("alpha/2").await, MigrationState::Interrupted);
    let stands = progress(&w, "alpha/2").await;
    assert!((10..2_000).contains(&stands[0].rows_done) && stands[0].rows_estimated >= 1_000, "{stands:#?}");
    let w = World { cancel: tokio_util::sync::CancellationToken::new(), ..w };
    is_done(&w, "cancelled").await;
    assert!(w.saw(|e| matches!(e, Event::BackfillProgress { rows_done: 2_000, .. })), "what was done before counts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_lost_in_mid_batch_costs_that_batch() {
    let w = plans(3_000).await;
    counted(&w, 10);
    let cut = async {
        progresses(&w).await;
        w.db.value(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 3 \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await;
    };
    let (report, ()) = tokio::join!(w.run(), cut);
    assert_eq!(report.error.unwrap().code, ErrorCode::DatabaseUnavailable);
    is_done(&w, "cut off").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_runners_one_fills_and_one_is_told() {
    let w = plans(3_000).await;
    counted(&w, 10);
    let first = w.engine().prepare_run(all(), w.context()).await.unwrap();
    let second = async {
        progresses(&w).await;
        w.try_run(all()).await
    };
    let (first, second) = tokio::join!(first.execute(), second);
    assert_eq!(names(&first.done), ["alpha/2"], "{:#?}", first.error);
    assert_eq!(second.unwrap_err().code, ErrorCode::Busy);
}

/// The server crashes in mid-backfill and recovers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_costs_one_batch() {
    let cluster = tokio::task::spawn_blocking(start_cluster).await.unwrap();
    let connect = ConnectOptions::parse(&cluster.url("crashed")).unwrap();
    let target = Target { environment: "development".to_owned(), connect: connect.clone(), create_database: true };
    let w = plans(3_000).await;
    counted(&w, 10);
    let run = async || {
        let engine = Engine::new(w.project.open(), target.clone());
        engine.prepare_run(all(), w.context()).await.unwrap().execute().await
    };
    let crash = async {
        progresses(&w).await;
        let session = postgres_link::connect(&connect).await.unwrap();
        let pid = rustix::process::Pid::from_raw(session.backend_pid()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    };
    let (report, ()) = tokio::join!(run(), crash);
    assert_eq!(report.error.expect("the session is gone").code, ErrorCode::DatabaseUnavailable);
    let session = loop {
        // It refuses while it recovers.
        if let Ok(session) = postgres_link::connect(&connect).await {
            break session;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let report = run().await;
    assert!(report.error.is_none(), "{:#?}", report.error);
    assert_eq!(names(&report.done), ["alpha/2"]);
    let wrong = session.batch("SELECT count(*) FROM alpha.plans WHERE filled <> 1").await.unwrap();
    assert_eq!(wrong.value(0, 0), Some("0"));
}

/// The journal's row moves only from where the runner saw it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runner_whose_backfill_somebody_else_has_moved_on_stops() {
    let w = plans(3_000).await;
    slugs(&w, "-- batch-rows: 10\n");
    let meddle = async {
        progresses(&w).await;
        w.db.value("UPDATE migration_service.backfill SET done_to = '[\"2900\"]'").await;
    };
    let (report, ()) = tokio::join!(w.run(), meddle);
    let error = report.error.expect("it stops");
    assert!(error.message.contains("another runner has moved this backfill on"), "{error:#?}");
}
