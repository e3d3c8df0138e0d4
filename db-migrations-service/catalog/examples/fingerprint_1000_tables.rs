//! How long the fingerprint of a large schema takes: 1,000 tables of 10 columns with keys, indexes and comments.
//!
//! ```text
//! cargo run --release -p schema-catalog --example fingerprint_1000_tables
//! ```

use std::fmt::Write as _;
use std::time::Instant;

use schema_catalog::{Scope, Snapshot, difference};

const TABLES: usize = 1_000;
const RUNS: usize = 7;

fn tables() -> String {
    let mut sql = String::from("CREATE SCHEMA large; SET search_path = large;");
    for table in 0..TABLES {
        let parent = table / 2;
        // Writing to a String cannot fail.
        let _ = write!(
            sql,
            "CREATE TABLE t{table} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(100) NOT NULL,
                parent_id bigint REFERENCES t{parent}, state text NOT NULL DEFAULT 'new' CHECK (state <> ''),
                price numeric(10, 2), tags text[], body jsonb, made_at timestamptz NOT NULL DEFAULT now(),
                changed_at timestamptz, note text, UNIQUE (name));
             CREATE INDEX ON t{table} (parent_id); CREATE INDEX ON t{table} (lower(name)) WHERE state <> 'old';
             COMMENT ON TABLE t{table} IS 'Table {table}';"
        );
        for column in ["id", "name", "parent_id", "state", "price", "tags", "body", "made_at", "changed_at", "note"] {
            let _ = write!(sql, "COMMENT ON COLUMN t{table}.{column} IS 'The {column} of table {table}';");
        }
    }
    sql
}

#[expect(clippy::print_stdout, reason = "it is a measurement for people")]
async fn measure() {
    let database = testkit::server().empty_database().await;
    let session = database.session().await;
    session.batch(&tables()).await.unwrap_or_else(|error| panic!("{error}"));
    let mut measured = Vec::new();
    let mut last = Snapshot::default();
    for _ in 0..RUNS {
        // A session of its own: one that has read before finds the catalog in its caches.
        let session = database.session().await;
        let started = Instant::now();
        let snapshot = Snapshot::read(&session, &Scope::all()).await.unwrap_or_else(|error| panic!("{error}"));
        let read = started.elapsed();
        let fingerprint = snapshot.fingerprint();
        measured.push((started.elapsed(), read, fingerprint));
        last = snapshot;
    }
    measured.sort_unstable();
    let (all, read, fingerprint) = measured[RUNS / 2];
    println!("{} objects of {TABLES} tables, fingerprint {fingerprint}", last.len());
    println!("median of {RUNS}: {} ms, of which {} ms reading", all.as_millis(), read.as_millis());
    println!("slowest: {} ms", measured[RUNS - 1].0.as_millis());
    let stored = serde_json::to_vec(&last).unwrap_or_else(|error| panic!("{error}"));
    println!("stored: {} kB", stored.len() / 1_000);
    let started = Instant::now();
    println!("{} differences to itself in {} ms", difference(&last, &last).len(), started.elapsed().as_millis());
}

#[expect(clippy::print_stdout, reason = "it is a measurement for people")]
async fn measure_platform() {
    let database = testkit::server().platform_database().await;
    let session = database.session().await;
    let started = Instant::now();
    let snapshot = Snapshot::read(&session, &Scope::all()).await.unwrap_or_else(|error| panic!("{error}"));
    let taken = started.elapsed().as_millis();
    let stored = serde_json::to_vec(&snapshot).unwrap_or_else(|error| panic!("{error}"));
    println!("the platform: {} objects in {taken} ms, stored {} kB", snapshot.len(), stored.len() / 1_000);
}

fn main() {
    testkit::block_on(async {
        measure().await;
        measure_platform().await;
    });
}
