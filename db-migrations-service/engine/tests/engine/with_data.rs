//! Rehearsals on rows: what only rows can show, and from where they may be.
//!
//! A copy of the target stands for what a caller would restore from a backup.

use migration_engine::proof::ValidateRequest;
use migration_engine::proof::data::{DataSource, Filled};
use migration_engine::proof::report::{Gate, Report};
use migration_engine::request::{RollbackTo, Scope};
use migration_engine::{EngineError, ErrorCode};
use testkit::{TestDb, server};

use crate::help::World;

const T: &str = "CREATE TABLE alpha.t (id int PRIMARY KEY, name text, ref int, code int NOT NULL);";
const ROWS: &str = "INSERT INTO alpha.t VALUES (1, NULL, 99, 7), (2, 'a', 1, 7), (3, 'a', 1, 7)";

/// A target with rows.
async fn filled_world() -> World {
    let w = World::new().await;
    w.project.migration("alpha/1_t", T, "DROP TABLE alpha.t;");
    w.run_ok().await;
    w.db.value(ROWS).await;
    w
}

/// The target as it is now.
async fn copy(w: &World) -> TestDb {
    let copy = server().empty_database().await;
    let session = server().session("postgres").await;
    session.batch(&format!("DROP DATABASE \"{}\"", copy.name())).await.expect("nobody is on it");
    let create = format!("CREATE DATABASE \"{}\" TEMPLATE \"{}\"", copy.name(), w.db.name());
    session.batch(&create).await.expect("nobody stays on it");
    copy
}

fn source() -> DataSource {
    let taken_at = time::OffsetDateTime::UNIX_EPOCH;
    DataSource { backup: "20260101-development-1".to_owned(), taken_at, rows: 3, verified: true }
}

fn request() -> ValidateRequest {
    ValidateRequest { scope: Scope::All, whole: false, gates: vec![Gate::Rehearsed] }
}

async fn try_on(w: &World, rows: &TestDb) -> Result<Report, EngineError> {
    let filled = Filled { database: rows.name().to_owned(), source: source() };
    w.engine().validate_on(&filled, &request(), &w.context()).await
}

async fn on(w: &World, rows: &TestDb) -> Report {
    try_on(w, rows).await.unwrap_or_else(|error| panic!("{error:#?}"))
}

async fn outdated(w: &World, rows: &TestDb) -> String {
    let error = try_on(w, rows).await.expect_err("the rows do not fit");
    assert_eq!(error.code, ErrorCode::BackupOutdated, "{error:#?}");
    assert!(error.cure.as_deref().is_some_and(|cure| cure.contains("profe backup create")), "{error:#?}");
    assert!(error.message.contains(&source().backup), "{error:#?}");
    error.message
}

/// Way there, way back, what the rows say.
const REFUSED: [(&str, &str, &str); 6] = [
    (
        "ALTER TABLE alpha.t ALTER COLUMN name SET NOT NULL;",
        "ALTER TABLE alpha.t ALTER COLUMN name DROP NOT NULL;",
        "column \"name\" of relation \"t\" contains null values",
    ),
    ("CREATE UNIQUE INDEX t_name ON alpha.t (name);", "DROP INDEX alpha.t_name;", "could not create unique index"),
    (
        "ALTER TABLE alpha.t ADD CONSTRAINT t_id CHECK (id > 1);",
        "ALTER TABLE alpha.t DROP CONSTRAINT t_id;",
        "is violated by some row",
    ),
    (
        "ALTER TABLE alpha.t ADD CONSTRAINT t_ref FOREIGN KEY (ref) REFERENCES alpha.t (id);",
        "ALTER TABLE alpha.t DROP CONSTRAINT t_ref;",
        "violates foreign key constraint \"t_ref\"",
    ),
    (
        "ALTER TABLE alpha.t ALTER COLUMN name TYPE int USING name::int;",
        "ALTER TABLE alpha.t ALTER COLUMN name TYPE text;",
        "invalid input syntax for type integer",
    ),
    (
        "ALTER TABLE alpha.t DROP COLUMN code;",
        "ALTER TABLE alpha.t ADD COLUMN code int NOT NULL;",
        "its way back fails: ",
    ),
];

#[tokio::test]
async fn what_existing_rows_refuse_is_found_before_the_run() {
    let w = filled_world().await;
    for (up, down, said) in REFUSED {
        w.project.migration("alpha/2_u", up, down);
        let without = w.engine().validate(&request(), &w.context()).await.unwrap_or_else(|error| panic!("{error:#?}"));
        assert!(without.passed && without.with_data.is_none(), "{up}: without rows nothing is wrong: {without:#?}");

        let report = on(&w, &copy(&w).await).await;
        assert!(!report.passed, "{up}");
        let found: Vec<_> = report.all_findings().collect();
        let [finding] = found.as_slice() else { panic!("{up}: {found:#?}") };
        assert_eq!((finding.gate, finding.code.as_str()), (Gate::Rehearsed, "existing-rows"), "{finding:#?}");
        assert!(finding.message.contains(said), "{finding:#?}");
        assert!(finding.message.contains("on the rows of backup 20260101-development-1"), "{finding:#?}");
        assert!(!finding.message.contains("99"), "whose rows they are is not told: {finding:#?}");
        assert!(finding.location.is_some() && finding.cure.is_some(), "{finding:#?}");
        assert!(report.migrations[0].certificate.is_none(), "{up}");
        assert_eq!(report.with_data, Some(source()));
    }
}

#[tokio::test]
async fn what_was_applied_since_is_applied_to_the_rows_and_the_certificate_names_them() {
    let w = filled_world().await;
    let rows = copy(&w).await;
    w.project.migration(
        "alpha/2_grade",
        "ALTER TABLE alpha.t ADD COLUMN grade int;",
        "ALTER TABLE alpha.t DROP COLUMN grade;",
    );
    w.run_ok().await;
    let up = "UPDATE alpha.t SET grade = id WHERE grade IS NULL;\nALTER TABLE alpha.t ALTER COLUMN grade SET NOT NULL;";
    w.project.migration("alpha/3_graded", up, "ALTER TABLE alpha.t ALTER COLUMN grade DROP NOT NULL;");
    let report = on(&w, &rows).await;
    assert!(report.passed, "{report:#?}");
    let certificate = report.migrations[0].certificate.as_ref().expect("it was proven");
    assert_eq!(certificate.with_data, Some(source()));
    assert_eq!(report.with_data, Some(source()));
    let kept = "SELECT content::jsonb -> 'withData' ->> 'backup' FROM migration_service.certificate WHERE version = 3";
    assert_eq!(w.db.value(kept).await, Some(source().backup));
    // What the caller made is the caller's, and was walked on.
    assert_eq!(rows.rows("SELECT grade FROM alpha.t ORDER BY 1").await, ["1", "2", "3"]);
    assert_eq!(w.db.rows("SELECT DISTINCT grade FROM alpha.t").await, ["∅"], "the target was left as it was");
    let analyzed = "SELECT reltuples::int::text FROM pg_class WHERE oid = 'alpha.t'::regclass";
    assert_eq!(rows.value(analyzed).await.as_deref(), Some("3"), "plans are made as on the target");
}

#[tokio::test]
async fn rows_of_another_schema_are_refused_with_what_differs() {
    let w = filled_world().await;
    let rows = copy(&w).await;
    w.project.migration("alpha/2_note", "CREATE TABLE alpha.note ();", "DROP TABLE alpha.note;");
    w.db.value("ALTER TABLE alpha.t ADD COLUMN by_hand int, ADD COLUMN too int").await;
    let message = outdated(&w, &rows).await;
    assert!(message.contains("by_hand: added") && message.contains("and 1 more"), "{message}");
    w.db.value("ALTER TABLE alpha.t DROP COLUMN by_hand, DROP COLUMN too").await;
    assert!(on(&w, &rows).await.passed);

    w.run_ok().await;
    let rows = copy(&w).await;
    w.rollback(RollbackTo::Steps(1)).await;
    let message = outdated(&w, &rows).await;
    assert!(message.contains("alpha/2 is applied in it, and was taken back since"), "{message}");

    let up = "ALTER TABLE alpha.t ALTER COLUMN name SET NOT NULL;";
    w.project.migration("alpha/2_note", up, "ALTER TABLE alpha.t ALTER COLUMN name DROP NOT NULL;");
    let rows = copy(&w).await;
    w.db.value("UPDATE alpha.t SET name = 'b' WHERE name IS NULL").await;
    w.run_ok().await;
    w.project.migration("alpha/3_note", "CREATE TABLE alpha.note ();", "DROP TABLE alpha.note;");
    let message = outdated(&w, &rows).await;
    assert!(message.contains("cannot be applied to its rows") && message.contains("null values"), "{message}");
}

#[tokio::test]
async fn drift_that_the_backup_has_too_is_drift_all_the_same() {
    let w = filled_world().await;
    w.db.value("ALTER TABLE alpha.t ADD COLUMN by_hand int").await;
    w.project.migration("alpha/2_note", "CREATE TABLE alpha.note ();", "DROP TABLE alpha.note;");
    let report = on(&w, &copy(&w).await).await;
    let codes: Vec<&str> = report.all_findings().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["drift"], "{report:#?}");
    assert!(report.migrations[0].certificate.is_none(), "{report:#?}");
}

#[tokio::test]
async fn a_catalogue_that_has_changed_since_is_applied_to_the_rows_first() {
    let w = filled_world().await;
    let rows = copy(&w).await;
    let catalogue = w.project.read("config/services.toml");
    let more = "[services.delta-service]\nschemas = [\"delta\"]\nowner = \"delta_owner_TAG\"\nrole = \"delta_service_TAG\"\nreferences = [\"alpha\"]\n";
    let tag = w.db.name().trim_start_matches("test_");
    w.project.write("config/services.toml", &format!("{catalogue}{}", more.replace("TAG", &tag[..8])));
    let pending = "CREATE TABLE delta.d (id int REFERENCES alpha.t (id));";
    w.project.migration("delta/1_d", pending, "DROP TABLE delta.d;");
    // Neither the target nor the rows know of it yet; then both; then the target alone.
    assert!(on(&w, &rows).await.passed);
    let rows = copy(&w).await;
    w.run_ok().await;
    w.project.migration("delta/2_e", "CREATE TABLE delta.e ();", "DROP TABLE delta.e;");
    assert!(on(&w, &rows).await.passed);
}
