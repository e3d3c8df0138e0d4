//! When a statement becomes a hazard, and what the transaction around it makes worse.

use lock_forecast::{Assessment, CODES, Catalog, Level, LiveCatalog, Throughput, assess};
use testkit::server;

const FIXTURE: &str = include_str!("matrix/fixture.sql");

async fn catalog() -> Catalog {
    let database = server().empty_database().await;
    let conn = database.session().await;
    conn.batch(FIXTURE).await.unwrap_or_else(|error| panic!("{error}"));
    LiveCatalog::read(&conn).await.unwrap()
}

/// A server so slow that the fixture's tables, some kilobytes each, are what ten gigabytes are to another.
fn slow() -> Throughput {
    Throughput {
        scan_bytes_per_s: 10_000,
        rewrite_bytes_per_s: 1_000,
        index_build_bytes_per_s: 10_000,
        row_changes_bytes_per_s: 1_000,
        ..Throughput::default()
    }
}

fn judged(sql: &str, catalog: &Catalog, throughput: &Throughput) -> Assessment {
    assess(&sql_grammar::parse(sql).unwrap(), &mut catalog.clone(), throughput)
}

#[tokio::test]
async fn a_small_table_is_no_hazard_and_a_large_one_is() {
    let catalog = catalog().await;
    for (sql, code, level, safer) in [
        ("CREATE INDEX i ON s.schools (code)", "index-blocks-writers", Level::Warning, "CREATE INDEX CONCURRENTLY i"),
        ("ALTER TABLE s.schools ALTER COLUMN code SET NOT NULL", "not-null-scans", Level::Warning, "NOT VALID"),
        (
            "ALTER TABLE s.schools ADD CONSTRAINT c CHECK (id > 0)",
            "check-scans",
            Level::Warning,
            "VALIDATE CONSTRAINT c",
        ),
        (
            "ALTER TABLE s.marks ADD FOREIGN KEY (owner_id) REFERENCES s.schools",
            "foreign-key-scans",
            Level::Warning,
            "NOT VALID",
        ),
        ("ALTER TABLE s.schools ADD UNIQUE (code)", "constraint-builds-index", Level::Warning, "USING INDEX"),
        ("ALTER TABLE s.schools ALTER COLUMN id TYPE bigint", "rewrite-column-type", Level::Danger, "new type"),
        (
            "ALTER TABLE s.schools ADD COLUMN a float DEFAULT random()",
            "rewrite-volatile-default",
            Level::Danger,
            "batches",
        ),
        ("UPDATE s.schools SET name = 'x'", "changes-every-row", Level::Danger, "batches"),
        ("ALTER TABLE s.marks VALIDATE CONSTRAINT marks_school", "validate-scans", Level::Notice, ""),
    ] {
        assert_eq!(judged(sql, &catalog, &Throughput::default()).hazards, [], "{sql}");
        let hazards = judged(sql, &catalog, &slow()).hazards;
        let hazard = hazards.iter().find(|h| h.code == code).unwrap_or_else(|| panic!("{sql}: {hazards:#?}"));
        assert!(CODES.contains(&code));
        assert_eq!(hazard.level, level, "{sql}: {hazard:?}");
        assert!(hazard.safer.as_deref().unwrap_or("").contains(safer), "{sql}: {hazard:?}");
        assert!(hazard.message.contains("20 rows"), "{sql}: {}", hazard.message);
    }
}

#[tokio::test]
async fn what_the_transaction_creates_itself_hurts_nobody() {
    let told = judged(
        "CREATE TABLE s.fresh (id int); CREATE INDEX ON s.fresh (id); ALTER TABLE s.fresh ALTER COLUMN id TYPE bigint;",
        &catalog().await,
        &slow(),
    );
    assert_eq!((told.hazards, told.blocking), (vec![], vec![]));
}

#[tokio::test]
async fn a_quick_lock_is_held_while_the_rest_works() {
    let catalog = catalog().await;
    let told = judged(
        "ALTER TABLE s.lonely ADD COLUMN a int; ALTER TABLE s.marks VALIDATE CONSTRAINT marks_school;",
        &catalog,
        &slow(),
    );
    let held = told.hazards.iter().find(|h| h.code == "lock-held-through-work").unwrap();
    assert_eq!((held.relation.as_str(), held.statement), ("s.lonely", 0));
    assert!(held.message.contains("whoever reads or writes s.lonely waits"), "{}", held.message);
    let blocked = told.blocking.iter().find(|b| b.relation.name == "lonely").unwrap();
    assert!(blocked.readers_ms >= told.statement_ms[1] && blocked.writers_ms == blocked.readers_ms);
}

#[tokio::test]
async fn reading_the_catalog_keeps_no_lock_on_a_table_and_does_not_wait_for_one() {
    let database = server().empty_database().await;
    let (holder, conn) = (database.session().await, database.session().await);
    holder.batch(FIXTURE).await.unwrap();
    holder.batch("BEGIN; LOCK TABLE s.schools IN ACCESS EXCLUSIVE MODE").await.unwrap();
    conn.batch("BEGIN; SET LOCAL lock_timeout = '5s'").await.unwrap();
    let catalog = LiveCatalog::read(&conn).await.unwrap();
    let schools = catalog.relations().find(|r| r.qualified().name == "schools").unwrap();
    assert_eq!(schools.rows(), 20);
    let held = conn
        .batch(
            "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
             JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname IN ('s', 'other') WHERE pid = pg_backend_pid()",
        )
        .await
        .unwrap();
    assert_eq!(held.value(0, 0), Some("0"));
}
