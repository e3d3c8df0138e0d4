//! Beside people who write: nothing of theirs is lost, and nobody waits for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use migration_engine::request::RunContext;
use migration_engine::{ErrorCode, Event, EventSink};
use tokio_util::sync::CancellationToken;

use super::{LEFT_OVERS, plans, progress, slugs};
use crate::help::{World, all, names, until};

/// Sessions that run statements made of growing numbers until they are told to stop.
struct Writers {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    sessions: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Writers {
    fn on(w: &World, setting: &str, statements: &[fn(usize) -> String]) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let spawn = |statement: &fn(usize) -> String| {
            let (connect, stop, done, statement) =
                (w.db.connect().clone(), Arc::clone(&stop), Arc::clone(&done), *statement);
            let setting = setting.to_owned();
            tokio::spawn(async move {
                let session = postgres_link::connect(&connect).await.expect("a session");
                session.batch(&setting).await.expect("a setting");
                let mut refused = Vec::new();
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    match session.batch(&statement(n)).await {
                        Ok(_) => _ = done.fetch_add(1, Ordering::Relaxed),
                        Err(error) => refused.push(error.to_string()),
                    }
                }
                refused
            })
        };
        let sessions = statements.iter().map(spawn).collect();
        Self { stop, done, sessions }
    }

    async fn end(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut refused = Vec::new();
        for session in self.sessions {
            refused.extend(session.await.expect("no panic"));
        }
        (self.done.load(Ordering::Relaxed), refused)
    }
}

/// An application that does not know the new column, and one that does.
const EVERYBODY: [fn(usize) -> String; 5] = [
    |n| format!("INSERT INTO alpha.plans (id, name) VALUES ({}, 'Old {n}')", 100_000 + n),
    |n| format!("UPDATE alpha.plans SET name = 'Renamed ' || id || ' {n}' WHERE id = {}", n * 7 % 4_000 + 1),
    |n| format!("DELETE FROM alpha.plans WHERE id = {}", n * 11 % 4_000 + 1),
    |n| format!("UPDATE alpha.plans SET views = views + 1 WHERE id = {}", n * 13 % 4_000 + 1),
    // Written again after it was deleted, with a key that is long behind the walk.
    |n| {
        format!(
            "INSERT INTO alpha.plans (id, name) VALUES ({}, 'Again {n}') ON CONFLICT DO NOTHING",
            n * 11 % 4_000 + 1
        )
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_lose_nothing_and_what_they_write_meanwhile_is_filled() {
    let w = plans(4_000).await;
    slugs(&w, "-- batch-rows: 25\n");
    let writers = Writers::on(&w, "SET lock_timeout = '20s'", &EVERYBODY);
    let report = w.run().await;
    let written = w.db.value("SELECT count(*) FROM alpha.plans WHERE name NOT LIKE 'Plan%'").await;
    let (done, refused) = writers.end().await;
    assert_eq!(names(&report.done), ["alpha/2"], "{:#?}", report.error);
    // After the contract whoever does not know the column is refused: it must not be null.
    assert!(refused.iter().all(|error| error.contains("\"slug\"")), "{refused:?}");
    assert!(done > 100 && written.unwrap().parse::<u32>().unwrap() > 20, "they have written: {done}");
    // Whoever renamed a plan after the contract has left its slug behind; the trigger did not.
    let stale = "SELECT count(*) FROM alpha.plans WHERE slug IS NULL OR name LIKE 'Old%' AND slug <> lower(replace(name, ' ', '-'))";
    assert_eq!(w.db.value(stale).await.as_deref(), Some("0"));
    assert_eq!(w.db.value(LEFT_OVERS).await.as_deref(), Some("0"));
}

/// While the trigger stands: a writer's own value stays, what was derived follows its source, whoever moves the row.
#[tokio::test]
async fn the_trigger_follows_what_was_derived_and_leaves_alone_what_was_chosen() {
    let w = plans(10).await;
    w.project.migration(
        "alpha/2_slugs",
        "-- part: expand\nALTER TABLE alpha.plans ADD COLUMN slug text, ADD COLUMN size int DEFAULT 0;\n-- part: backfill\n\
         UPDATE alpha.plans AS p SET slug = lower(p.name) WHERE p.slug IS NULL;\n\
         UPDATE alpha.plans SET size = length(name), name = name WHERE size >= 0;\n\
         -- part: contract\nSELECT 1 / (SELECT count(*) FROM alpha.plans WHERE id = 77);\n",
        "ALTER TABLE alpha.plans DROP COLUMN slug, DROP COLUMN size;",
    );
    let error = w.run_err().await;
    assert!(error.message.contains("division by zero"), "{error:#?}");
    let after = async |statement: &str| {
        w.db.value(statement).await;
        w.db.value("SELECT slug || ' ' || size FROM alpha.plans WHERE id = 1").await.unwrap_or_default()
    };
    assert_eq!(after("SELECT 1").await, "plan 1 6");
    assert_eq!(after("UPDATE alpha.plans SET name = 'Other' WHERE id = 1").await, "other 5");
    assert_eq!(after("UPDATE alpha.plans SET slug = 'mine' WHERE id = 1").await, "mine 5");
    assert_eq!(after("UPDATE alpha.plans SET name = 'Third' WHERE id = 1").await, "mine 5");
    assert_eq!(after("UPDATE alpha.plans SET views = 5 WHERE id = 1").await, "mine 5");
    assert_eq!(after("UPDATE alpha.plans SET slug = NULL WHERE id = 1").await, "third 5");
    let inserted =
        "INSERT INTO alpha.plans (id, name, slug) VALUES (20, 'Twenty', 'chosen'), (21, 'One', NULL) RETURNING slug";
    assert_eq!(w.db.rows(inserted).await, ["chosen", "one"]);
    // The next run finds everything as it should be.
    w.db.value("INSERT INTO alpha.plans (id, name) VALUES (77, 'x')").await;
    assert_eq!(w.run_ok().await, ["alpha/2"]);
}

/// A row that somebody holds keeps a batch waiting for no longer than a batch may take, and nobody behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_row_is_waited_for_in_small_batches_and_then_named() {
    let w = plans(200).await;
    slugs(&w, "");
    // First it is brought to where its trigger stands.
    let cancel = w.cancel.clone();
    let begins = EventSink::new(move |event| {
        if matches!(event, Event::StatementStarted { .. }) {
            cancel.cancel();
        }
    });
    let run = w.engine().prepare_run(all(), RunContext { events: begins, ..w.context() }).await.unwrap();
    assert_eq!(run.execute().await.error.unwrap().code, ErrorCode::Cancelled);
    let w = World { cancel: CancellationToken::new(), ..w };
    let holder = w.db.session().await;
    holder
        .batch("SET application_name = 'a long edit'; BEGIN; UPDATE alpha.plans SET views = 1 WHERE id = 150")
        .await
        .unwrap();
    let error = w.run_err().await;
    assert_eq!(error.code, ErrorCode::LockTimeout, "{error:#?}");
    assert!(error.left_behind.as_ref().unwrap().contains("kept as far as it came"), "{error:#?}");
    assert!(w.saw(|e| matches!(e, Event::BackfillPaused { why, .. } if why.starts_with("a row of a batch is locked"))));
    let stands = progress(&w, "alpha/2").await;
    assert!((50..150).contains(&stands[0].rows_done), "what comes before it is done: {stands:#?}");
    holder.batch("COMMIT").await.unwrap();
    assert_eq!(w.run_ok().await, ["alpha/2"]);
}

/// As the server saw it: sessions that waited for ours longer than the budget.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_waits_for_a_batch_longer_than_the_budget() {
    const BUDGET_MS: u64 = 1_000;
    let w = plans(300_000).await;
    slugs(&w, "");
    w.project.write(
        "config/services.toml",
        &w.project.read("config/services.toml").replace("lock_attempts = 3", "lock_attempts = 20"),
    );
    // A wait of more than the budget is refused, and so is seen.
    let writers: [fn(usize) -> String; 4] = [
        |n| format!("UPDATE alpha.plans SET views = views + 1 WHERE id = {}", n * 7_919 % 300_000 + 1),
        |n| format!("UPDATE alpha.plans SET views = views + 1 WHERE id = {}", n * 104_729 % 300_000 + 1),
        |n| {
            format!(
                "UPDATE alpha.plans SET views = views + 1 WHERE id BETWEEN {0} AND {0} + 20",
                n * 15_485_863 % 300_000
            )
        },
        |n| format!("INSERT INTO alpha.plans (id, name) VALUES ({}, 'New')", 1_000_000 + n),
    ];
    let load = Writers::on(&w, &format!("SET lock_timeout = {BUDGET_MS}; SET deadlock_timeout = '10s'"), &writers);
    let report = w.run().await;
    let (done, refused) = load.end().await;
    assert_eq!(names(&report.done), ["alpha/2"], "{:#?}", report.error);
    // Who does not know the column is refused after the contract; who has waited for too long would be at any time.
    let waited: Vec<_> = refused.iter().filter(|error| !error.contains("\"slug\"")).collect();
    assert!(waited.is_empty() && done > 500, "{done} written, refused: {waited:?}");
    assert!(!w.saw(|e| matches!(e, Event::Yielded { .. })), "nobody had to be let pass");
    assert_eq!(w.db.value("SELECT count(*) FROM alpha.plans WHERE slug IS NULL").await.as_deref(), Some("0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_pauses_while_others_need_the_server_and_says_so() {
    let w = plans(300).await;
    slugs(&w, "-- batch-rows: 10\n");
    let catalogue = w.project.read("config/services.toml");
    w.project.write("config/services.toml", &format!("{catalogue}\n[run.backfill]\nmax_active = 1\n"));
    // The server is shared with other tests: what is at work in this database is at least these two.
    let busy = [w.db.session().await, w.db.session().await];
    let ends = async {
        while !w.saw(|e| matches!(e, Event::BackfillPaused { why, .. } if why.ends_with("sessions are at work"))) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        until(&w.db, "SELECT waits_for LIKE '%sessions are at work' FROM migration_service.backfill").await;
        let waits = progress(&w, "alpha/2").await[0].waits_for.clone().unwrap();
        assert!(waits.ends_with("sessions are at work"), "{waits}");
        w.project.write("config/services.toml", &catalogue);
        w.cancel.cancel();
        for session in &busy {
            session.cancel().await.unwrap();
        }
    };
    let (_, _, report, ()) =
        tokio::join!(busy[0].batch("SELECT pg_sleep(600)"), busy[1].batch("SELECT pg_sleep(600)"), w.run(), ends);
    assert_eq!(report.error.unwrap().code, ErrorCode::Cancelled);
    let w = World { cancel: CancellationToken::new(), ..w };
    assert_eq!(w.run_ok().await, ["alpha/2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_has_an_end() {
    let w = plans(30).await;
    slugs(&w, "");
    let catalogue = w.project.read("config/services.toml");
    w.project.write("config/services.toml", &format!("{catalogue}\n[run.backfill]\nmax_active = 1\npatience_s = 1\n"));
    let busy = [w.db.session().await, w.db.session().await];
    let work = async {
        let error = w.run_err().await;
        for session in &busy {
            session.cancel().await.unwrap();
        }
        error
    };
    let (_, _, error) =
        tokio::join!(busy[0].batch("SELECT pg_sleep(600)"), busy[1].batch("SELECT pg_sleep(600)"), work);
    assert_eq!(error.code, ErrorCode::BackfillStalled, "{error:#?}");
    assert!(error.cure.unwrap().contains("goes on where it stopped"));
    w.project.write("config/services.toml", &catalogue);
    assert_eq!(w.run_ok().await, ["alpha/2"]);
}
