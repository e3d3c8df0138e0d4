//! Pending, applied, late, edited, missing, failed: nothing is skipped in silence.

use migration_engine::ErrorCode;
use migration_engine::status::MigrationState;

use crate::help::World;

#[tokio::test]
async fn a_late_one_is_applied_in_its_place_and_reported() {
    let w = World::new().await;
    w.project.migration("alpha/10_a", "CREATE TABLE alpha.a ();", "DROP TABLE alpha.a;").migration(
        "alpha/30_c",
        "CREATE TABLE alpha.c ();",
        "DROP TABLE alpha.c;",
    );
    w.run_ok().await;
    w.project.migration("alpha/20_b", "CREATE TABLE alpha.b ();", "DROP TABLE alpha.b;").migration(
        "alpha/40_d",
        "CREATE TABLE alpha.d ();",
        "DROP TABLE alpha.d;",
    );
    assert_eq!(w.states().await, ["alpha/10 Applied", "alpha/20 Late", "alpha/30 Applied", "alpha/40 Pending"]);
    let plan = w.engine().plan(&migration_engine::request::Scope::All, false).await.unwrap();
    assert!(plan.notes.iter().any(|n| n.contains("alpha/20 is late")), "{:?}", plan.notes);
    assert_eq!(w.run_ok().await, ["alpha/20", "alpha/40"]);
    let late = w.db.rows("SELECT version, late FROM migration_service.history ORDER BY id").await;
    assert_eq!(late, ["10|f", "30|f", "20|t", "40|f"]);
}

#[tokio::test]
async fn an_edited_one_is_refused_until_it_is_blessed_singly_with_a_reason() {
    let w = World::new().await;
    for n in ["1_a", "2_b"] {
        w.project.migration(
            &format!("alpha/{n}"),
            &format!("CREATE TABLE alpha.t{n} (x int);"),
            &format!("DROP TABLE alpha.t{n};"),
        );
    }
    w.run_ok().await;
    // A comment, a formatter, another line ending: the same migration.
    w.project.migration("alpha/1_a", "-- why\r\nCREATE TABLE alpha.t1_a\r\n(x int);\r\n", "DROP TABLE alpha.t1_a;");
    assert_eq!(w.run_ok().await, [""; 0]);
    assert_eq!(w.state("alpha/1").await, MigrationState::Applied);

    w.project.migration("alpha/1_a", "CREATE TABLE alpha.t1_a (x bigint);", "DROP TABLE alpha.t1_a;");
    w.project.migration("alpha/2_b", "CREATE TABLE alpha.t2_b (x text);", "DROP TABLE alpha.t2_b;");
    w.project.migration("gamma/3_c", "CREATE TABLE gamma.c ();", "DROP TABLE gamma.c;");
    let error = w.refused().await;
    assert_eq!((error.code, error.related.len()), (ErrorCode::Edited, 2));
    assert_eq!(w.state("alpha/1").await, MigrationState::Edited);
    // Another service is not held up.
    let request = migration_engine::request::RunRequest {
        scope: migration_engine::request::Scope::Service("gamma-service".to_owned()),
        to: None,
        dry_run: false,
        overrides: Vec::new(),
    };
    assert_eq!(crate::help::names(&w.try_run(request).await.unwrap().done), ["gamma/3"]);

    let id = "alpha/1".parse().unwrap();
    assert!(w.engine().bless(&id, "  ", "an operator").await.is_err());
    let (before, after) =
        w.engine().bless(&id, "the target was altered by hand on purpose", "an operator").await.unwrap();
    assert_ne!(before, after);
    assert_eq!(w.refused().await.related.len(), 1, "the other one still stands refused");
    let record = w.db.rows("SELECT blessed_by, blessed_reason, first_checksum <> checksum FROM migration_service.history WHERE version = 1").await;
    assert_eq!(record, ["an operator|the target was altered by hand on purpose|t"]);
    assert_eq!(
        w.engine().bless(&"alpha/99".parse().unwrap(), "x", "y").await.unwrap_err().code,
        ErrorCode::UnknownMigration
    );
}

#[tokio::test]
async fn a_missing_one_is_reported_and_can_still_be_rolled_back() {
    let w = World::new().await;
    w.project.migration("alpha/1_a", "CREATE TABLE alpha.a ();", "DROP TABLE alpha.a;").migration(
        "alpha/2_b",
        "CREATE TABLE alpha.b ();",
        "DROP TABLE alpha.b;",
    );
    w.run_ok().await;
    w.project.remove_migration("alpha/2_b");
    assert_eq!(w.states().await, ["alpha/1 Applied", "alpha/2 Missing"]);
    assert_eq!(w.run_ok().await, [""; 0]);
    let plan = w.engine().plan(&migration_engine::request::Scope::All, false).await.unwrap();
    assert!(plan.notes.iter().any(|n| n.contains("without a file: alpha/2")), "{:?}", plan.notes);
    assert_eq!(w.rollback(migration_engine::request::RollbackTo::Steps(1)).await, ["alpha/2"]);
    assert_eq!(w.relations().await, ["alpha.a"]);
}

#[tokio::test]
async fn what_is_run_is_what_was_planned() {
    let w = World::new().await;
    w.project.migration("alpha/1_a", "CREATE TABLE alpha.a ();", "DROP TABLE alpha.a;").migration(
        "alpha/2_b",
        "CREATE TABLE alpha.b ();",
        "DROP TABLE alpha.b;",
    );
    let prepared = w.engine().prepare_run(crate::help::all(), w.context()).await.unwrap();
    w.project.migration("alpha/2_b", "CREATE TABLE alpha.other ();", "DROP TABLE alpha.other;");
    let error = prepared.execute().await.error.unwrap();
    assert_eq!(error.code, ErrorCode::Edited, "{}", error.message);
    assert_eq!(w.relations().await, ["alpha.a"]);
    assert_eq!(w.run_ok().await, ["alpha/2"]);
}

/// The catalogue says which schemas there are; whoever drops one by hand is told by the drift, and the next run makes it again.
#[tokio::test]
async fn a_schema_that_was_dropped_by_hand_is_made_again_with_its_grants() {
    let w = World::new().await;
    w.project.migration("alpha/1_a", "CREATE TABLE alpha.a ();", "DROP TABLE alpha.a;");
    w.run_ok().await;
    assert!(w.engine().status().await.unwrap().prepared);
    let owner = w.db.value("SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'beta'").await;
    w.db.value("DROP SCHEMA beta CASCADE").await;
    assert!(!w.engine().status().await.unwrap().prepared);
    // With what is pending in it …
    w.project.migration("beta/1_b", "CREATE TABLE beta.b ();", "DROP TABLE beta.b;");
    assert_eq!(w.run_ok().await, ["beta/1"]);
    let made = "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'beta' AND nspacl::text LIKE '%beta_service%'";
    assert_eq!(w.db.value(made).await, owner);
    // … and where nothing is.
    w.db.value("DROP SCHEMA beta CASCADE").await;
    assert!(w.run_ok().await.is_empty());
    assert_eq!(w.db.value(made).await, owner);
    assert!(w.engine().status().await.unwrap().prepared);
}
