//! What cannot run inside a transaction gives its locks back before they can be looked at, so these stand against the
//! levels that PostgreSQL's documentation names ("Explicit Locking" and the page of each command).

use std::fmt::Write as _;

use lock_forecast::{LiveCatalog, forecast};
use testkit::server;

const FIXTURE: &str = include_str!("matrix/fixture.sql");

/// The statement, and its locks as `MODE relation`, in order of name.
const TABLE: [(&str, &[&str]); 12] = [
    ("CREATE INDEX CONCURRENTLY fresh ON s.schools (code)", &["SHARE UPDATE EXCLUSIVE s.schools"]),
    ("CREATE UNIQUE INDEX CONCURRENTLY fresh ON s.schools (code)", &["SHARE UPDATE EXCLUSIVE s.schools"]),
    (
        "DROP INDEX CONCURRENTLY s.pupils_title",
        &["SHARE UPDATE EXCLUSIVE s.pupils", "SHARE UPDATE EXCLUSIVE s.pupils_title"],
    ),
    (
        "REINDEX INDEX CONCURRENTLY s.pupils_title",
        &["SHARE UPDATE EXCLUSIVE s.pupils", "SHARE UPDATE EXCLUSIVE s.pupils_title"],
    ),
    ("REINDEX TABLE CONCURRENTLY s.pupils", &["SHARE UPDATE EXCLUSIVE s.pupils"]),
    ("REINDEX (CONCURRENTLY) TABLE s.pupils", &["SHARE UPDATE EXCLUSIVE s.pupils"]),
    ("REINDEX (CONCURRENTLY false) TABLE s.pupils", &["SHARE s.pupils"]),
    (
        "ALTER TABLE s.logs DETACH PARTITION s.logs_2024 CONCURRENTLY",
        &["SHARE UPDATE EXCLUSIVE s.logs", "ACCESS EXCLUSIVE s.logs_2024"],
    ),
    (
        "ALTER TABLE s.logs DETACH PARTITION s.logs_2024 FINALIZE",
        &["SHARE UPDATE EXCLUSIVE s.logs", "ACCESS EXCLUSIVE s.logs_2024"],
    ),
    ("VACUUM s.schools", &["SHARE UPDATE EXCLUSIVE s.schools"]),
    ("VACUUM (ANALYZE) s.schools", &["SHARE UPDATE EXCLUSIVE s.schools"]),
    ("VACUUM FULL s.schools", &["ACCESS EXCLUSIVE s.schools"]),
];

#[tokio::test]
async fn what_runs_alone_has_the_documented_levels() {
    let database = server().empty_database().await;
    let conn = database.session().await;
    conn.batch(FIXTURE).await.unwrap_or_else(|error| panic!("{error}"));
    let catalog = LiveCatalog::read(&conn).await.unwrap();
    let mut report = String::new();
    for (sql, documented) in TABLE {
        let told = forecast(&sql_grammar::parse(sql).unwrap()[0], &catalog);
        let locks: Vec<String> = told
            .locks
            .iter()
            .filter(|lock| !lock.created_here)
            .map(|lock| format!("{} {}", lock.mode, lock.relation))
            .collect();
        if locks != documented || told.unknown.is_some() {
            writeln!(report, "{sql}: {locks:?} {:?}", told.unknown).unwrap();
        }
    }
    assert!(report.is_empty(), "{report}");
}

#[tokio::test]
async fn what_only_the_server_reads_is_called_unknown() {
    let database = server().empty_database().await;
    let conn = database.session().await;
    conn.batch(FIXTURE).await.unwrap_or_else(|error| panic!("{error}"));
    let mut catalog = LiveCatalog::read(&conn).await.unwrap();
    let mut reason = |sql: &str| {
        let statement = &sql_grammar::parse(sql).unwrap()[0];
        let told = forecast(statement, &catalog);
        catalog.advance(statement);
        told.unknown.unwrap_or_default()
    };
    assert_eq!(reason("SELECT lower(name) FROM s.schools"), "");
    assert!(reason("SELECT s.helper()").contains("s.helper is called"));
    assert!(reason("UPDATE s.watched SET text = 'x'").contains("trigger watched_touch runs s.touch"));
    assert!(reason("ALTER TABLE s.nothing ADD COLUMN a int").contains("no relation s.nothing"));
    assert!(reason("DO $$ BEGIN END $$").contains("DO block"));
    assert!(reason("SELECT 1").contains("earlier statement"));
}
