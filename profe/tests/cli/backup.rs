//! Backups on the command line, without a server that runs.

use std::path::PathBuf;

use serde_json::Value;
use testkit::{block_on, server};

use crate::support::{Done, Workplace, run};

const UP: &str = "create table alpha.t (id int primary key, title text not null);\n";
const DOWN: &str = "drop table alpha.t;\n";

/// A table with rows, and a storage for backups of it.
pub struct Place {
    pub work: Workplace,
}

impl Place {
    pub fn new() -> Self {
        let work = Workplace::new();
        work.project.migration("alpha/1_create_t", UP, DOWN);
        let place = Self { work };
        place.profe(&["migrate", "run"]).ok(0);
        place.work.value("insert into alpha.t select n, 'title ' || n from generate_series(1, 100) n");
        place
    }

    pub fn copies(&self) -> PathBuf {
        self.work.folder.path().join("copies")
    }

    pub fn command(&self) -> std::process::Command {
        let mut command = self.work.profe();
        command.env("MIGRATION_SERVICE_BACKUP_STORAGE", self.copies());
        command
    }

    pub fn profe(&self, arguments: &[&str]) -> Done {
        run(&mut self.command(), arguments)
    }

    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let done = self.profe(&[arguments, &["--output", "json"]].concat());
        let out = done.ok(code);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }
}

#[test]
fn made_listed_verified_restored_and_deleted() {
    let place = Place::new();
    assert!(place.profe(&["backup", "list"]).ok(0).contains("profe backup create"));
    let made = place.json(&["backup", "create", "--description", "before", "--retention-days", "7"], 0);
    assert_eq!(
        (&made["status"], &made["madeBy"], &made["retentionDays"]),
        (&"ready".into(), &"cli:ana".into(), &7.into())
    );
    let id = made["backupId"].as_str().expect("an id");
    let listed = place.profe(&["backup", "list"]).ok(0);
    assert!(listed.contains(id) && listed.contains("unverified") && listed.contains("before"), "{listed}");

    let verified = place.profe(&["backup", "verify", id]).ok(0);
    assert!(verified.contains("was restored and is equal") && verified.contains("rows"), "{verified}");
    assert!(place.profe(&["backup", "list"]).ok(0).contains("verified at "));

    let into = format!("{}_back", place.work.database.name());
    let restored = place.profe(&["backup", "restore", id, "--into", &into]).ok(0);
    assert!(restored.contains(&format!("into the database {into}")), "{restored}");
    let count = block_on(async { server().session(&into).await.batch("select count(*) from alpha.t").await });
    assert_eq!(count.expect("a table").value(0, 0), Some("100"));
    let again = place.profe(&["backup", "restore", id, "--into", &into]).err(5);
    assert!(again.contains("error[database_exists]") && again.contains("--into"), "{again}");
    place.work.value(&format!("drop database \"{into}\" with (force)"));

    let refused = place.profe(&["backup", "delete", id]).err(5);
    assert!(refused.contains("confirmation_required") && refused.contains("--yes"), "{refused}");
    assert!(place.profe(&["backup", "delete", id, "--yes"]).ok(0).contains("Deleted"));
    assert!(place.profe(&["backup", "list"]).ok(0).contains("There are no backups"));
    let gone = place.profe(&["backup", "verify", id]).err(2);
    assert!(gone.contains("error[unknown_backup]") && gone.contains("help: "), "{gone}");
}

#[test]
fn restored_in_place_and_back() {
    let place = Place::new();
    let made = place.json(&["backup", "create", "--service", "alpha-service"], 0);
    let id = made["backupId"].as_str().expect("an id");
    place.work.project.migration(
        "alpha/2_add_note",
        "alter table alpha.t add note text;\n",
        "alter table alpha.t drop note;\n",
    );
    place.profe(&["migrate", "run"]).ok(0);
    place.work.value("delete from alpha.t where id > 10");

    let refused = place.profe(&["backup", "restore", id, "--in-place"]).err(5);
    assert!(refused.contains("confirmation_required") && refused.contains("--yes"), "{refused}");
    for wrong in [["--in-place", "--into", "x"].as_slice(), &["--in-place", "--table", "alpha.t"], &["--yes"]] {
        place.profe(&[&["backup", "restore", id], wrong].concat()).err(2);
    }
    let gone = place.profe(&["backup", "restore", "20260101-000000-gone-abcdef", "--in-place"]).err(2);
    assert!(gone.contains("error[unknown_backup]"), "{gone}");
    assert_eq!(place.work.value("select count(*) from alpha.t").as_deref(), Some("10"));

    let done = place.profe(&["backup", "restore", id, "--in-place", "--yes"]);
    assert!(done.err.contains("What was there before: profe backup restore "), "{}", done.err);
    assert!(done.ok(0).contains(&format!("{id} is restored in place: alpha.")));
    assert_eq!(place.work.value("select count(*) from alpha.t").as_deref(), Some("100"));
    place.profe(&["migrate", "status", "--exit-code"]).ok(3);
    place.profe(&["db", "diff"]).ok(0);
    place.profe(&["migrate", "run"]).ok(0);
    place.profe(&["db", "diff"]).ok(0);
    assert_eq!(place.work.value("select count(note) from alpha.t").as_deref(), Some("0"));
    place.profe(&["audit", "verify"]).ok(0);

    let listed = place.json(&["backup", "list"], 0);
    let safety = listed[0]["backupId"].as_str().expect("an id");
    assert!(listed[0]["description"].as_str().is_some_and(|text| text.contains(id)), "{listed}");
    let back = place.json(&["backup", "restore", safety, "--in-place", "--yes"], 0);
    assert_eq!((&back["job"]["status"], &back["job"]["schemas"]), (&"completed".into(), &serde_json::json!(["alpha"])));
    assert_eq!(back["restores"][0]["safetyBackup"], back["job"]["safetyBackup"], "{back}");
    assert_eq!(place.work.value("select count(*) from alpha.t").as_deref(), Some("10"));
    place.profe(&["db", "diff"]).ok(0);
}

#[test]
fn a_table_is_restored_beside_the_live_one() {
    let place = Place::new();
    let made = place.json(&["backup", "create"], 0);
    let id = made["backupId"].as_str().expect("an id");
    place.work.value("delete from alpha.t");
    let unknown = place.profe(&["backup", "restore", id, "--table", "alpha.nothing"]).err(2);
    assert!(unknown.contains("error[unknown_table]") && unknown.contains("alpha.nothing"), "{unknown}");
    let done = place.profe(&["backup", "restore", id, "--table", "alpha.t"]).ok(0);
    let name = done.split_once("alpha.t is restored as ").and_then(|(_, rest)| rest.trim().strip_suffix('.'));
    let name = name.unwrap_or_else(|| panic!("{done}"));
    assert_eq!(place.work.value(&format!("select count(*) from {name}")).as_deref(), Some("100"));
    assert_eq!(place.work.value("select count(*) from alpha.t").as_deref(), Some("0"));
}

#[test]
fn a_backup_that_is_not_what_was_stored_ends_with_1() {
    let place = Place::new();
    let made = place.json(&["backup", "create", "--service", "alpha-service"], 0);
    let id = made["backupId"].as_str().expect("an id");
    let folder = place.copies().join(made["backupId"].as_str().expect("a folder"));
    let part = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let part = part.into_iter().find(|path| path.to_string_lossy().contains("/data-1.")).expect("a part with rows");
    let mut bytes = std::fs::read(&part).expect("a part");
    bytes[20] ^= 1;
    std::fs::write(&part, bytes).expect("our own file");
    let verified = place.profe(&["backup", "verify", id]).ok(1);
    assert!(verified.contains("✗") && verified.contains("make a new one"), "{verified}");
    assert!(place.profe(&["backup", "list"]).ok(0).contains("failed its verification at"));
    assert_eq!(place.json(&["backup", "verify", id], 1)["verification"]["status"], "failed");
}

#[test]
fn where_backups_are_kept_must_be_said_and_usable() {
    let place = Place::new();
    let unsaid = run(&mut place.work.profe(), &["backup", "create"]).err(2);
    assert!(
        unsaid.contains("backup_storage_unconfigured") && unsaid.contains("MIGRATION_SERVICE_BACKUP_STORAGE"),
        "{unsaid}"
    );
    let mut away = place.work.profe();
    away.env("MIGRATION_SERVICE_BACKUP_STORAGE", "/proc/nowhere/copies");
    let away = run(&mut away, &["backup", "list"]).err(6);
    assert!(away.contains("backup_storage_unavailable") && away.contains("/proc/nowhere/copies"), "{away}");
    let mut bad = place.work.profe();
    bad.env("MIGRATION_SERVICE_BACKUP_RECIPIENTS", "ana");
    assert!(run(&mut bad, &["backup", "list"]).err(2).contains("MIGRATION_SERVICE_BACKUP_RECIPIENTS"));
    let doctor = place.profe(&["doctor"]).out;
    assert!(doctor.contains("is made by the first backup") && doctor.contains("pg_dump"), "{doctor}");
    place.profe(&["backup", "create"]).ok(0);
    let doctor = place.profe(&["doctor"]).out;
    assert!(doctor.contains("can be written, read, listed and deleted from"), "{doctor}");
}
