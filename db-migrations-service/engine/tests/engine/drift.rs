//! What was changed by hand: found, undone, adopted.

use migration_engine::proof::drift::DriftReport;
use migration_engine::request::{RollbackTo, Scope};
use postgres_link::AdminConn;

use crate::help::World;

const UP: &str = "CREATE TYPE alpha.mood AS ENUM ('good', 'bad');\n\
    CREATE TABLE alpha.t (id int PRIMARY KEY, title varchar(255) NOT NULL DEFAULT 'x', \"user\" text, n int);\n\
    CREATE TABLE alpha.child (id int PRIMARY KEY, t int REFERENCES alpha.t (id), CONSTRAINT positive CHECK (id > 0));\n\
    CREATE INDEX t_title_idx ON alpha.t (title);\n\
    CREATE VIEW alpha.v AS SELECT id, title FROM alpha.t;\n\
    CREATE FUNCTION alpha.f(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i + 1';\n\
    CREATE SEQUENCE alpha.s;\n\
    ALTER TABLE alpha.t ENABLE ROW LEVEL SECURITY;\n\
    CREATE POLICY mine ON alpha.t FOR SELECT USING (id > 0);\n\
    COMMENT ON TABLE alpha.t IS 'what it is';";
const DOWN: &str = "DROP TABLE alpha.child; DROP VIEW alpha.v; DROP TABLE alpha.t; DROP FUNCTION alpha.f(int); DROP SEQUENCE alpha.s; DROP TYPE alpha.mood;";

/// Done by hand, as a superuser; each lot at once.
const EXACT: [&[&str]; 3] = [
    &[
        "ALTER TABLE alpha.t ADD COLUMN extra int NOT NULL DEFAULT 7",
        "ALTER TABLE alpha.t ALTER COLUMN n TYPE bigint",
        "ALTER TABLE alpha.t ALTER COLUMN \"user\" TYPE varchar(20)",
        "ALTER TABLE alpha.t ALTER COLUMN title DROP NOT NULL, ALTER COLUMN title DROP DEFAULT",
        "ALTER TABLE alpha.t ADD COLUMN g int GENERATED ALWAYS AS (id * 2) STORED",
        "ALTER TABLE alpha.t ADD CONSTRAINT named CHECK (\"user\" <> 'it''s')",
        "ALTER TABLE alpha.child DROP CONSTRAINT child_t_fkey",
        "DROP INDEX alpha.t_title_idx",
        "CREATE OR REPLACE VIEW alpha.v AS SELECT id, title, n FROM alpha.t",
        "CREATE OR REPLACE FUNCTION alpha.f(i int) RETURNS int LANGUAGE sql STABLE AS 'SELECT i + 2'",
        "ALTER SEQUENCE alpha.s INCREMENT 5",
        "DROP POLICY mine ON alpha.t; CREATE POLICY mine ON alpha.t FOR SELECT USING (id > 1)",
        "COMMENT ON TABLE alpha.t IS 'it''s \\ other'; COMMENT ON COLUMN alpha.t.\"user\" IS 'who'",
        "GRANT SELECT, INSERT ON alpha.t TO PUBLIC",
        "CREATE TABLE alpha.hand (id bigserial PRIMARY KEY, at timestamptz DEFAULT now(), m alpha.mood); COMMENT ON COLUMN alpha.hand.at IS 'when'; CREATE INDEX ON alpha.hand (at)",
    ],
    &[
        "ALTER TABLE alpha.t DROP COLUMN n",
        "ALTER TABLE alpha.child DROP CONSTRAINT positive",
        "DROP VIEW alpha.v",
        "DROP FUNCTION alpha.f(int)",
        "ALTER TABLE alpha.t DISABLE ROW LEVEL SECURITY",
        "GRANT SELECT (title) ON alpha.t TO PUBLIC",
        "CREATE TABLE alpha.ident (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t int REFERENCES alpha.t)",
        "CREATE TABLE alpha.parted (id int NOT NULL) PARTITION BY RANGE (id); CREATE TABLE alpha.parted_1 PARTITION OF alpha.parted FOR VALUES FROM (0) TO (10)",
        "CREATE FUNCTION alpha.trg() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER touch BEFORE UPDATE ON alpha.t FOR EACH ROW EXECUTE FUNCTION alpha.trg()",
    ],
    &[
        "ALTER TABLE alpha.t ALTER COLUMN n SET DEFAULT 3, ALTER COLUMN n SET NOT NULL",
        "ALTER TABLE alpha.t ADD CONSTRAINT late CHECK (n > 0) NOT VALID",
        "CREATE INDEX \"Odd name\" ON alpha.t (lower(\"user\"), n DESC) WHERE n > 3",
        "DROP TABLE alpha.child",
    ],
];

async fn world() -> World {
    let w = World::new().await;
    w.project.migration("alpha/1_t", UP, DOWN);
    assert_eq!(w.run_ok().await, ["alpha/1"]);
    w
}

async fn sent(w: &World, sql: &str) {
    let conn: AdminConn = postgres_link::connect(w.db.connect()).await.unwrap();
    conn.batch(sql).await.unwrap_or_else(|error| panic!("{error}\nin: {sql}"));
}

async fn drift(w: &World) -> DriftReport {
    w.engine().drift(&Scope::All, &w.context()).await.unwrap()
}

fn words(report: &DriftReport) -> Vec<&str> {
    report.differences.iter().map(|d| d.words.as_str()).collect()
}

async fn live(w: &World) -> String {
    w.engine().fingerprints().await.unwrap().live.to_string()
}

fn script(statements: &[String]) -> String {
    statements.join(";\n") + ";\n"
}

#[tokio::test]
async fn a_target_that_nobody_touched_has_no_drift() {
    let w = world().await;
    let report = drift(&w).await;
    assert!(report.agrees && report.prepared && report.expected == report.live, "{report:#?}");
    assert_eq!(report.schemas.len(), 3);
    let prints = w.engine().fingerprints().await.unwrap();
    assert_eq!((prints.live, prints.expected), (report.live, None), "it was applied without a certificate");
    let undoing = w.engine().undo_drift(&Scope::All, &w.context()).await.unwrap();
    assert!(undoing.statements.is_empty() && undoing.not_exact.is_empty(), "{undoing:#?}");
}

/// A catalogue that was prepared after the newest migration gave rights that no certificate knows of.
#[tokio::test]
async fn a_certificate_promises_nothing_past_the_catalogue_that_came_after_it() {
    let w = World::new().await;
    w.project.migration("alpha/1_t", "CREATE TABLE alpha.t (id int PRIMARY KEY);", "DROP TABLE alpha.t;");
    w.run_ok().await;
    w.project.migration("alpha/2_u", "CREATE TABLE alpha.u ();", "DROP TABLE alpha.u;");
    assert!(super::proofs::validate(&w).await.passed);
    w.run_ok().await;
    assert_eq!(w.engine().fingerprints().await.unwrap().agrees(), Some(true));
    let catalogue = w.project.read("config/services.toml");
    let gamma = catalogue.rfind("references = []").unwrap();
    let permitted =
        format!("{}references = [\"alpha\"]{}", &catalogue[..gamma], &catalogue[gamma + "references = []".len()..]);
    w.project.write("config/services.toml", &permitted);
    assert!(w.run_ok().await.is_empty());
    assert_eq!(w.engine().fingerprints().await.unwrap().agrees(), None);
    assert!(drift(&w).await.agrees);
}

#[tokio::test]
async fn what_differs_is_told_in_words_and_by_schema() {
    let w = world().await;
    sent(&w, "ALTER TABLE alpha.t ALTER COLUMN title DROP NOT NULL; DROP INDEX alpha.t_title_idx").await;
    let report = drift(&w).await;
    assert_eq!(
        words(&report),
        [
            "alpha.t.title: varchar(255) not null default 'x'::character varying → varchar(255) default 'x'::character varying",
            "index alpha.t_title_idx: missing"
        ]
    );
    let agree: Vec<_> = report.schemas.iter().map(|s| (s.schema.as_str(), s.service.as_str(), s.agrees)).collect();
    let expected =
        [("alpha", "alpha-service", false), ("beta", "beta-service", true), ("gamma", "gamma-service", true)];
    assert_eq!(agree, expected);
    let beta = Scope::Service("beta-service".to_owned());
    assert!(w.engine().drift(&beta, &w.context()).await.unwrap().agrees);
}

#[tokio::test]
async fn what_was_changed_by_hand_is_undone() {
    let w = world().await;
    let before = live(&w).await;
    for lot in EXACT {
        let sql = &lot.join(";\n");
        sent(&w, sql).await;
        assert_ne!(live(&w).await, before, "{sql}");
        let undoing = w.engine().undo_drift(&Scope::All, &w.context()).await.unwrap();
        assert!(undoing.not_exact.is_empty(), "{sql}: {undoing:#?}");
        sent(&w, &script(&undoing.statements)).await;
        assert_eq!(live(&w).await, before, "{sql}: {undoing:#?} {:#?}", words(&drift(&w).await));
    }
}

#[tokio::test]
async fn what_was_changed_by_hand_is_adopted_and_can_be_taken_back() {
    let w = world().await;
    let before = live(&w).await;
    for lot in EXACT {
        let sql = &lot.join(";\n");
        sent(&w, sql).await;
        let adoption = w.engine().propose_adoption("alpha", &w.context()).await.unwrap();
        assert!(adoption.not_exact.is_empty() && adoption.not_restored.is_empty(), "{sql}: {adoption:#?}");
        w.project.migration("alpha/2_adopted", &script(&adoption.up), &script(&adoption.down));
        let id = "alpha/2".parse().unwrap();
        w.engine().adopt(&id, &adoption.align, &w.context()).await.unwrap();
        assert_eq!(w.states().await, ["alpha/1 Applied", "alpha/2 Applied"]);
        let report = drift(&w).await;
        assert!(report.agrees, "{sql}: {adoption:#?} {:#?}", words(&report));
        assert_eq!(w.rollback(RollbackTo::Steps(1)).await, ["alpha/2"]);
        assert_eq!(live(&w).await, before, "{sql}: {adoption:#?} {:#?}", words(&drift(&w).await));
        w.project.remove_migration("alpha/2_adopted");
    }
}

#[tokio::test]
async fn what_cannot_be_done_exactly_is_said_and_not_guessed() {
    let w = world().await;
    sent(&w, "ALTER TYPE alpha.mood ADD VALUE 'so so' AFTER 'good'").await;
    let undoing = w.engine().undo_drift(&Scope::All, &w.context()).await.unwrap();
    assert_eq!(undoing.not_exact, ["enum alpha.mood: label 'so so' missing"], "{undoing:#?}");
    assert!(undoing.statements.is_empty(), "{undoing:#?}");
    let adoption = w.engine().propose_adoption("alpha", &w.context()).await.unwrap();
    assert_eq!(adoption.up, ["ALTER TYPE \"alpha\".\"mood\" ADD VALUE 'so so' AFTER 'good'"]);
    assert!(adoption.not_exact.is_empty() && adoption.not_restored.len() == 1, "{adoption:#?}");

    // A column in the middle: nothing puts it back where it was.
    let w = world().await;
    sent(&w, "ALTER TABLE alpha.t DROP COLUMN \"user\"").await;
    let undoing = w.engine().undo_drift(&Scope::All, &w.context()).await.unwrap();
    assert_eq!(
        undoing.not_exact,
        ["table alpha.t: column order (id, title, n, user) → (id, title, user, n)"],
        "{undoing:#?}"
    );
}
