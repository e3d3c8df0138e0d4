//! What passes by is what the tables hold, whichever `pg_dump` wrote it.

use std::path::PathBuf;
use std::process::Command;

use backup_vault::archive::{ArchiveError, ArchiveReader, Table};
use embedded_postgres::Binaries;
use testkit::{TestDb, server};

/// A database with all that an archive can hold.
async fn odd() -> TestDb {
    let db = server().empty_database().await;
    db.value(
        r#"CREATE SCHEMA "Año 1"; CREATE TABLE "Año 1"."t.""x" (a text, b bytea);
        INSERT INTO "Año 1"."t.""x" VALUES (E'\\.\n\\.', NULL), ('COPY x FROM stdin;', '\x00ff'), (repeat('á', 200000), 'x');
        CREATE TABLE empty (); INSERT INTO empty DEFAULT VALUES; CREATE TABLE none (a int);
        CREATE TABLE parts (k int, v int GENERATED ALWAYS AS (k * 2) STORED) PARTITION BY RANGE (k);
        CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
        INSERT INTO parts SELECT g FROM generate_series(0, 9) g;
        SELECT lo_from_bytea(4000000001, 'first'); SELECT lo_from_bytea(7, ''); SELECT lo_from_bytea(8, decode(repeat('ab', 100000), 'hex'));
        CREATE VIEW v AS SELECT 1; CREATE SEQUENCE s"#,
    )
    .await;
    db
}

fn programs() -> PathBuf {
    Binaries::find(&|name| std::env::var(name).ok()).expect("PostgreSQL's programs").folder().to_owned()
}

fn dump(db: &TestDb, arguments: &[&str]) -> Vec<u8> {
    let done = Command::new(programs().join("pg_dump"))
        .args(["-Fc", "-Z0"])
        .args(arguments)
        .arg(format!("--dbname={}", db.url()))
        .output()
        .expect("pg_dump runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

fn read(archive: &[u8], piece: usize) -> Result<Vec<Table>, ArchiveError> {
    let mut reader = ArchiveReader::default();
    for piece in archive.chunks(piece) {
        reader.push(piece)?;
    }
    reader.finish()
}

/// The same archive with its rows joined, read in pieces.
fn joined(archive: &[u8], piece: usize) -> Vec<u8> {
    let (mut reader, mut whole) = (ArchiveReader::joining(), Vec::new());
    for piece in archive.chunks(piece) {
        reader.push(piece).unwrap();
        let joined = reader.joined().expect("it joins");
        whole.extend_from_slice(joined.ready());
        joined.taken();
    }
    reader.finish().unwrap();
    whole
}

/// What `pg_restore` makes of it, as SQL.
fn script(archive: &[u8]) -> String {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    std::io::Write::write_all(&mut file, archive).expect("our own file");
    let done =
        Command::new(programs().join("pg_restore")).args(["--file=-"]).arg(file.path()).output().expect("it runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // Each script has a word of its own that ends it.
    let text = String::from_utf8(done.stdout).expect("text");
    text.lines().filter(|line| !line.contains("restrict ")).collect::<Vec<_>>().join("\n")
}

fn rows(tables: &[Table]) -> Vec<(String, u64)> {
    tables.iter().map(|table| (table.name.to_string(), table.figures.rows)).collect()
}

#[tokio::test]
async fn every_table_is_counted_in_pieces_of_any_size() {
    let db = odd().await;
    let archive = dump(&db, &[]);
    let whole = read(&archive, archive.len()).unwrap();
    let wanted =
        [("large objects", 3), ("Año 1.t.\"x", 3), ("public.empty", 1), ("public.none", 0), ("public.parts_1", 10)];
    assert_eq!(rows(&whole), wanted.map(|(name, rows)| (name.to_owned(), rows)));
    for piece in [1, 2, 7, 64, 4096, 65_537] {
        assert_eq!(read(&archive, piece).unwrap(), whole, "in pieces of {piece}");
    }
}

#[tokio::test]
async fn joined_rows_are_the_same_to_pg_restore() {
    let db = odd().await;
    db.value("CREATE TABLE many AS SELECT g, repeat('x', g % 90) FROM generate_series(1, 20000) g").await;
    let archive = dump(&db, &[]);
    let (whole, wanted) = (read(&archive, archive.len()).unwrap(), script(&archive));
    for piece in [1, 7, 4096, 65_537, archive.len()] {
        let joined = joined(&archive, piece);
        assert!(archive.len() - joined.len() > 20_000 * 4, "lengths between the rows are gone");
        assert_eq!(read(&joined, 4096).unwrap(), whole, "in pieces of {piece}");
        assert!(script(&joined) == wanted, "in pieces of {piece}");
    }
}
