//! A migration in one transaction is seen statement by statement.

use std::time::Duration;

use migration_engine::request::{RollbackTo, RunRequest};
use migration_engine::{ErrorCode, Event};

use crate::help::{World, all, until};

/// `began 2/3` and `done 2/3`, with `took` before those that were told to take long.
fn told(w: &World) -> Vec<String> {
    let events = w.events.lock().unwrap();
    let of = |event: &Event| match event {
        Event::StatementStarted { statement, of, lasts, .. } => {
            Some(format!("{} {statement}/{of}", if *lasts { "lasts" } else { "began" }))
        }
        Event::StatementFinished { statement, of, .. } => Some(format!("done {statement}/{of}")),
        Event::Retrying { attempt, .. } => Some(format!("attempt {attempt} failed")),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// Without those that only the running server decides on.
fn begun_and_done(w: &World) -> Vec<String> {
    told(w).into_iter().filter(|line| !line.starts_with("lasts")).collect()
}

async fn with_table() -> World {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t (a int);", "DROP TABLE alpha.t;");
    w.run_ok().await;
    w.events.lock().unwrap().clear();
    w
}

fn patient(w: &World) {
    let catalogue = w.project.read("config/services.toml").replace("lock_timeout_ms = 150", "lock_timeout_ms = 30000");
    w.project.write("config/services.toml", &catalogue);
}

#[tokio::test]
async fn each_statement_of_a_transaction_is_told_with_its_line_what_it_is_and_its_rows() {
    let w = with_table().await;
    w.project.migration(
        "alpha/2_three",
        "-- why\nCREATE UNIQUE INDEX i\n  ON alpha.t (a);\n\n/* é */ INSERT INTO alpha.t SELECT * FROM generate_series(1, 3);\nCOMMENT ON TABLE alpha.t IS 'x'; -- end",
        "DROP INDEX alpha.i;\nDELETE FROM alpha.t;",
    );
    w.run_ok().await;
    let seen: Vec<String> = w
        .events
        .lock()
        .unwrap()
        .iter()
        .filter_map(|event| match event {
            Event::StatementStarted { line, tag, text, lasts: false, .. } => Some(format!("{line} {tag}: {text}")),
            Event::StatementFinished { line, tag, rows, resumed, duration_ms, .. } => {
                assert!(!resumed && *duration_ms > 0.0);
                Some(format!("{line} {tag} {rows}"))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        seen,
        [
            "2 CREATE UNIQUE INDEX: CREATE UNIQUE INDEX i",
            "2 CREATE UNIQUE INDEX 0",
            "5 INSERT: INSERT INTO alpha.t SELECT * FROM generate_series(1, 3)",
            "5 INSERT 3",
            "6 COMMENT ON TABLE: COMMENT ON TABLE alpha.t IS 'x'",
            "6 COMMENT ON TABLE 0",
        ]
    );
    w.events.lock().unwrap().clear();
    w.rollback(RollbackTo::Steps(1)).await;
    assert_eq!(begun_and_done(&w), ["began 1/2", "done 1/2", "began 2/2", "done 2/2"]);
    w.events.lock().unwrap().clear();
    w.try_run(RunRequest { dry_run: true, ..all() }).await.unwrap();
    assert_eq!(begun_and_done(&w).len(), 6);
}

#[tokio::test]
async fn a_statement_that_waits_is_named_with_whom_it_waits_for_and_its_end_is_told() {
    let w = with_table().await;
    patient(&w);
    w.project.migration(
        "alpha/2_waits",
        "CREATE TABLE alpha.before ();\nALTER TABLE alpha.t ADD COLUMN b int;\nCREATE TABLE alpha.after ();",
        "DROP TABLE alpha.before;",
    );
    let blocker = w.db.session().await;
    blocker.batch("SET application_name = 'a long report'; BEGIN; SELECT * FROM alpha.t").await.unwrap();
    let release = async {
        let waits = |e: &Event| matches!(e, Event::Waiting { statement: Some(2), blockers, .. } if blockers[0].application.as_deref() == Some("a long report"));
        while !w.saw(waits) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The statement by itself is what the server shows of the session.
        until(&w.db, "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%ALTER TABLE alpha.t ADD%' AND query NOT LIKE '%CREATE TABLE%' AND pid <> pg_backend_pid()").await;
        blocker.batch("ROLLBACK").await.unwrap();
    };
    let (report, ()) = tokio::join!(w.run(), release);
    assert!(report.error.is_none(), "{:#?}", report.error);
    let lines = told(&w);
    let of_second: Vec<&String> = lines.iter().filter(|line| line.ends_with(" 2/3")).collect();
    assert_eq!(of_second, ["began 2/3", "lasts 2/3", "done 2/3"]);
    let took = |e: &Event| matches!(e, Event::StatementFinished { statement: 2, lasted: true, duration_ms, .. } if *duration_ms >= 50.0);
    assert!(w.saw(took) && w.saw(|e| matches!(e, Event::StatementFinished { statement: 1, .. })));
}

#[tokio::test]
async fn what_is_tried_again_is_told_from_its_first_statement() {
    let w = with_table().await;
    w.project.migration(
        "alpha/2_locked",
        "CREATE TABLE alpha.u ();\nALTER TABLE alpha.t ADD COLUMN b int;",
        "DROP TABLE alpha.u;",
    );
    let blocker = w.db.session().await;
    blocker.batch("BEGIN; SELECT * FROM alpha.t").await.unwrap();
    let error = w.run_err().await;
    assert_eq!((error.code, error.location.unwrap().statement), (ErrorCode::LockTimeout, Some(2)));
    let attempt = ["began 1/2", "done 1/2", "began 2/2"];
    let expected: Vec<&str> = [&attempt[..], &["attempt 1 failed"], &attempt, &["attempt 2 failed"], &attempt].concat();
    assert_eq!(begun_and_done(&w), expected);
    assert_eq!(w.relations().await, ["alpha.t"]);
}

#[tokio::test]
async fn the_first_refusal_is_the_cause_and_nothing_behind_it_is_done() {
    let w = with_table().await;
    for (sql, at, state) in [
        (
            "CREATE TABLE alpha.é ();\n-- ñandú\nCREATE TABLE alpha.z (ñ nada);\nDROP TABLE alpha.t;",
            (3, 25, Some(2)),
            "42704",
        ),
        ("SELECT 'ñ';SELECT 'ñ', nada;DROP TABLE alpha.t;", (1, 24, Some(2)), "42703"),
        ("DROP TABLE alpha.t; SELECT 1; SELECT 'é', 1 / 0; SELECT 2;", (1, 31, Some(3)), "22012"),
        ("CREATE TABLE alpha.x (); COMMENT ON COLUMN alpha.t.nada IS 'é';", (1, 26, Some(2)), "42703"),
    ] {
        w.project.migration("alpha/2_bad", sql, "SELECT 1;");
        let error = w.run_err().await;
        let place = error.location.expect("a place");
        assert_eq!((place.line, place.column, place.statement), at, "{sql}");
        assert_eq!(error.sql.unwrap().sqlstate, state, "{sql}");
        assert_eq!(w.relations().await, ["alpha.t"]);
        assert_eq!(w.db.value("SELECT count(*) FROM migration_service.history").await.as_deref(), Some("1"));
    }
    // What is refused only when the transaction ends belongs to no statement.
    w.project.migration(
        "alpha/2_bad",
        "CREATE TABLE alpha.p (a int PRIMARY KEY, b int REFERENCES alpha.p DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO alpha.p VALUES (1, 2);",
        "SELECT 1;",
    );
    let error = w.run_err().await;
    assert_eq!((error.sql.unwrap().sqlstate.as_str(), error.location), ("23503", None));
    assert_eq!(w.relations().await, ["alpha.t"]);
}

#[tokio::test]
async fn a_file_of_thousands_of_statements_is_told_in_groups_and_its_mistakes_one_by_one() {
    let w = with_table().await;
    let insert = |n: usize| format!("INSERT INTO alpha.t VALUES ({n});\n");
    let many: String = (1..=2_000).map(insert).collect();
    w.project.migration("alpha/2_many", &many, "DELETE FROM alpha.t;");
    w.run_ok().await;
    let (mut messages, mut rows, mut last) = (0, 0, 0);
    for event in &*w.events.lock().unwrap() {
        if let Event::StatementFinished { statement, through, rows: written, of: 2_000, .. } = event {
            assert_eq!(*statement, last + 1);
            (messages, rows, last) = (messages + 1, rows + written, *through);
        }
    }
    assert_eq!((rows, last), (2_000, 2_000));
    assert!(messages <= 256, "{messages}");
    w.project.migration("alpha/3_many", &many.replace("(1777)", "(1777, 2)"), "DELETE FROM alpha.t;");
    let error = w.run_err().await;
    let place = error.location.unwrap();
    assert_eq!((place.line, place.statement), (1_777, Some(1_777)));
    assert_eq!(w.db.value("SELECT count(*) FROM alpha.t").await.as_deref(), Some("2000"));
}

#[tokio::test]
async fn a_cancelled_one_is_taken_back_with_the_statements_before_it() {
    let w = with_table().await;
    w.project.migration(
        "alpha/2_slow",
        "CREATE TABLE alpha.u ();\nSELECT pg_sleep(600);\nCREATE TABLE alpha.v ();",
        "SELECT 1;",
    );
    let cancel = async {
        while !w.saw(|e| matches!(e, Event::StatementStarted { statement: 2, lasts: true, .. })) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        w.cancel.cancel();
    };
    let (report, ()) = tokio::join!(w.run(), cancel);
    assert_eq!(report.error.unwrap().code, ErrorCode::Cancelled);
    assert_eq!(w.relations().await, ["alpha.t"]);
}
