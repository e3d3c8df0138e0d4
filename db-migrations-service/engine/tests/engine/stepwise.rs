//! Statements that cannot run in a transaction: journalled, resumed, repaired.

use migration_engine::request::RollbackTo;
use migration_engine::status::MigrationState;
use migration_engine::{ErrorCode, Event};

use crate::help::{World, until};

const INDEX_VALID: &str = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('alpha.t_x')";

async fn with_table() -> World {
    let w = World::new().await;
    w.project.migration(
        "alpha/1_t",
        "CREATE TABLE alpha.t (x int, y int); INSERT INTO alpha.t SELECT g, g % 10 FROM generate_series(1, 1000) g;",
        "DROP TABLE alpha.t;",
    );
    w.run_ok().await;
    w
}

#[tokio::test]
async fn a_concurrent_index_and_its_way_back() {
    let w = with_table().await;
    w.project.migration(
        "alpha/2_ix",
        "CREATE INDEX CONCURRENTLY t_x ON alpha.t (x);",
        "DROP INDEX CONCURRENTLY alpha.t_x;",
    );
    let plan = w.engine().plan(&migration_engine::request::Scope::All, false).await.unwrap();
    assert!(!plan.migrations[0].transactional);
    w.run_ok().await;
    assert_eq!(w.db.value(INDEX_VALID).await.as_deref(), Some("t"));
    assert_eq!(
        w.db.value("SELECT pg_get_userbyid(relowner) LIKE 'alpha_owner%' FROM pg_class WHERE relname = 't_x'")
            .await
            .as_deref(),
        Some("t")
    );
    assert_eq!(w.rollback(RollbackTo::Steps(1)).await, ["alpha/2"]);
    assert_eq!(w.db.value(INDEX_VALID).await, None);
    assert_eq!(w.db.value("SELECT count(*) FROM migration_service.journal").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn each_statement_is_told_when_it_begins_and_when_it_is_done() {
    let w = with_table().await;
    w.events.lock().unwrap().clear();
    w.project.migration(
        "alpha/2_two",
        "VACUUM alpha.t;\nINSERT INTO alpha.t VALUES (0, 0);",
        "-- irreversible: gone\n",
    );
    w.run_ok().await;
    let events = w.events.lock().unwrap();
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::StatementStarted { statement, of, tag, .. } => Some(format!("began {statement}/{of} {tag}")),
            Event::StatementFinished { statement, of, tag, .. } => Some(format!("done {statement}/{of} {tag}")),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["began 1/2 VACUUM", "done 1/2 VACUUM", "began 2/2 INSERT", "done 2/2 INSERT"]);
}

#[tokio::test]
async fn a_failure_in_the_middle_keeps_what_was_done_and_resumes_after_it() {
    let w = with_table().await;
    let up = |middle: &str| {
        format!(
            "CREATE TABLE alpha.log AS SELECT 1 AS n;\n{middle}\nINSERT INTO alpha.log VALUES (2);\nVACUUM alpha.t;\nINSERT INTO alpha.log VALUES (3);"
        )
    };
    w.project.migration(
        "alpha/2_mixed",
        &up("CREATE UNIQUE INDEX CONCURRENTLY t_x ON alpha.t (y);"),
        "DROP TABLE alpha.log;",
    );
    let error = w.run_err().await;
    assert_eq!(error.sql.as_ref().unwrap().sqlstate, "23505");
    assert_eq!((error.location.as_ref().unwrap().line, error.location.as_ref().unwrap().statement), (2, Some(2)));
    assert!(
        error.left_behind.as_deref().unwrap().contains("statements 1 to 1 of 5 are done"),
        "{:?}",
        error.left_behind
    );
    assert_eq!(w.db.value(INDEX_VALID).await, None, "the invalid index was taken away");
    assert_eq!(w.state("alpha/2").await, MigrationState::Interrupted);

    // What was run may not change any more; what was not, may.
    w.project.migration(
        "alpha/2_mixed",
        &up("CREATE INDEX CONCURRENTLY t_x ON alpha.t (y);").replace("SELECT 1 AS n", "SELECT 7 AS n"),
        "DROP TABLE alpha.log;",
    );
    assert_eq!(w.run_err().await.code, ErrorCode::Edited);
    w.project.migration("alpha/2_mixed", &up("CREATE INDEX CONCURRENTLY t_x ON alpha.t (y);"), "DROP TABLE alpha.log;");
    w.run_ok().await;
    assert_eq!(w.db.rows("SELECT n FROM alpha.log ORDER BY n").await, ["1", "2", "3"]);
    assert!(w.saw(|e| matches!(e, Event::StatementFinished { statement: 1, resumed: true, .. })));
    assert_eq!(
        w.db.value(
            "SELECT (SELECT count(*) FROM migration_service.journal) + (SELECT count(*) FROM migration_service.failure)"
        )
        .await
        .as_deref(),
        Some("0")
    );
}

#[tokio::test]
async fn an_invalid_index_is_rebuilt_and_never_mistaken_for_done() {
    let w = with_table().await;
    // A build that failed outside of the engine leaves the index INVALID.
    let session = w.db.session().await;
    session.batch("CREATE UNIQUE INDEX CONCURRENTLY t_x ON alpha.t (y)").await.unwrap_err();
    assert_eq!(w.db.value(INDEX_VALID).await.as_deref(), Some("f"));
    let owner =
        w.db.value("SELECT tableowner FROM pg_tables WHERE tablename = 't' AND schemaname = 'alpha'").await.unwrap();
    session.batch(&format!("ALTER TABLE alpha.t OWNER TO \"{owner}\"")).await.unwrap();
    w.project.migration(
        "alpha/2_ix",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS t_x ON alpha.t (x);",
        "DROP INDEX alpha.t_x;",
    );
    w.run_ok().await;
    assert_eq!(w.db.value(INDEX_VALID).await.as_deref(), Some("t"));
    assert_eq!(w.db.value("SELECT pg_get_indexdef('alpha.t_x'::regclass) LIKE '%(x)'").await.as_deref(), Some("t"));
    assert!(w.saw(|e| matches!(e, Event::Repaired { what, .. } if what.contains("alpha.t_x"))));
}

#[tokio::test]
async fn a_value_added_to_an_enum_can_be_used_by_what_follows() {
    let w = World::new().await;
    w.project
        .migration(
            "alpha/1_k",
            "CREATE TYPE alpha.k AS ENUM ('a'); CREATE TABLE alpha.t (k alpha.k);",
            "DROP TABLE alpha.t; DROP TYPE alpha.k;",
        )
        .migration(
            "alpha/2_add",
            "ALTER TYPE alpha.k ADD VALUE 'b';\nINSERT INTO alpha.t VALUES ('b');",
            "-- irreversible: enum values stay\n",
        );
    w.run_ok().await;
    assert_eq!(w.db.rows("SELECT k FROM alpha.t").await, ["b"]);
}

#[tokio::test]
async fn partitions_are_detached_concurrently() {
    let w = World::new().await;
    w.project
        .migration(
            "alpha/1_p",
            "CREATE TABLE alpha.p (x int) PARTITION BY LIST (x); CREATE TABLE alpha.p1 PARTITION OF alpha.p FOR VALUES IN (1);",
            "DROP TABLE alpha.p;",
        )
        .migration("alpha/2_detach", "ALTER TABLE alpha.p DETACH PARTITION alpha.p1 CONCURRENTLY;", "ALTER TABLE alpha.p ATTACH PARTITION alpha.p1 FOR VALUES IN (1);");
    w.run_ok().await;
    assert_eq!(
        w.db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 'alpha.p'::regclass").await.as_deref(),
        Some("0")
    );
    assert_eq!(w.rollback(RollbackTo::Steps(1)).await, ["alpha/2"]);
}

#[tokio::test]
async fn a_cancelled_build_leaves_no_index() {
    let w = with_table().await;
    w.project.migration("alpha/2_ix", "CREATE INDEX CONCURRENTLY t_x ON alpha.t (x);", "DROP INDEX alpha.t_x;");
    // An old transaction keeps the build waiting.
    let blocker = w.db.session().await;
    blocker.batch("BEGIN; INSERT INTO alpha.t VALUES (0)").await.unwrap();
    let run = w.run();
    let cancel = async {
        until(&w.db, "SELECT EXISTS (SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('alpha.t_x'))").await;
        w.cancel.cancel();
        until(&w.db, "SELECT NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%' AND state = 'active' AND datname = current_database())").await;
        blocker.batch("ROLLBACK").await.unwrap();
    };
    let (report, ()) = tokio::join!(run, cancel);
    assert_eq!(report.outcome, migration_engine::event::Outcome::Cancelled);
    assert_eq!(w.db.value(INDEX_VALID).await, None);
}

#[tokio::test]
async fn a_rollback_that_stops_in_the_middle_is_shown_and_goes_on_from_there() {
    let w = with_table().await;
    w.project.migration(
        "alpha/2_ix",
        "CREATE INDEX t_x ON alpha.t (x);\nCREATE INDEX t_y ON alpha.t (y);",
        "DROP INDEX CONCURRENTLY alpha.t_x;\nSELECT 1 / (SELECT count(*) FROM pg_class WHERE relname = 'mended_' || current_database())::int;\nDROP INDEX alpha.t_y;",
    );
    w.run_ok().await;
    let report = w.try_rollback(RollbackTo::Steps(1)).await.unwrap();
    assert!(report.error.unwrap().left_behind.unwrap().contains("statements 1 to 1 of 3 are done"));
    assert_eq!(w.state("alpha/2").await, MigrationState::Interrupted);
    // Nobody builds on what is neither there nor gone.
    w.project.migration("alpha/3_u", "CREATE TABLE alpha.u ();", "DROP TABLE alpha.u;");
    let refused = w.refused().await;
    assert_eq!((refused.code, refused.related.len()), (ErrorCode::HalfRolledBack, 1), "{refused:#?}");
    assert!(refused.cure.unwrap().contains("profe migrate rollback --migration alpha/2"));
    w.project.remove_migration("alpha/3_u");
    w.db.value(&format!("CREATE TABLE \"mended_{}\" ()", w.db.name())).await;
    assert_eq!(w.rollback(RollbackTo::Steps(1)).await, ["alpha/2"]);
    assert_eq!(w.relations().await, ["alpha.t"]);
    assert_eq!(w.state("alpha/2").await, MigrationState::Pending);
}
