//! `profe backup` stopped with Ctrl-C, without room, without its key, with names that are none.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use rustix::process::{Signal, kill_process_group};
use serde_json::Value;
use testkit::{block_on, server};

use crate::backup::Place;
use crate::support::{Running, run, until};

impl Place {
    fn made(&self) -> String {
        let out = self.profe(&["backup", "create", "--output", "json"]).ok(0);
        let made: Value = serde_json::from_str(&out).expect("JSON");
        made["backupId"].as_str().expect("an id").to_owned()
    }

    /// Starts it as a terminal does, and presses Ctrl-C when a query says `t`.
    fn interrupted_when(&self, arguments: &[&str], query: &str) -> (Option<i32>, String) {
        let running = Running::start(self.command().process_group(0), arguments);
        until(&self.work.database, query);
        kill_process_group(running.pid(), Signal::INT).expect("they run");
        let (status, _, said) = running.end();
        (status.code(), said)
    }
}

/// All files below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The terminal tells every program of the command; what is shown is what became of the command.
#[test]
fn ctrl_c_is_130_and_takes_back_what_was_begun() {
    let place = Place::new();
    // What only pg_dump reads; whoever holds it keeps both of them waiting.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let holder = runtime.block_on(place.work.database.session());
    runtime.block_on(holder.batch("begin; lock table pg_catalog.pg_largeobject_metadata")).expect("nobody else has it");
    let waiting =
        "select count(*) >= 2 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let (code, said) = place.interrupted_when(&["backup", "create"], waiting);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("error[cancelled]") && said.contains("what was begun was taken back"), "{said}");
    runtime.block_on(holder.batch("rollback")).expect("a transaction");
    assert_eq!(files(&place.copies()), [] as [PathBuf; 0]);
    assert!(place.profe(&["backup", "list"]).ok(0).contains("There are no backups"));

    // Its index is never done in a database that is not the live one.
    place.work.value(
        "create function alpha.slow(live text, id int) returns int language plpgsql immutable as \
         $$ begin if current_database() <> live then perform pg_sleep(600); end if; return id; end $$; \
         do $$ begin execute format('create index on alpha.t (alpha.slow(%L, id))', current_database()); end $$",
    );
    let id = place.made();
    let into = format!("{}_back", place.work.database.name());
    let name = id.replace('-', "_");
    let left = format!("select count(*) from pg_database where datname like '%{name}%' or datname = '{into}'");
    for arguments in [&["backup", "verify", &id][..], &["backup", "restore", &id, "--into", &into]] {
        let building = format!(
            "select exists (select from pg_stat_activity where datname like '%{name}%' and wait_event = 'PgSleep')"
        );
        let (code, said) = place.interrupted_when(arguments, &building);
        assert_eq!(code, Some(130), "{arguments:?}: {said}");
        assert!(said.contains("error[cancelled]"), "{said}");
        assert_eq!(place.work.value(&left).as_deref(), Some("0"), "{arguments:?}");
    }
    assert!(place.profe(&["backup", "list"]).ok(0).contains("unverified"), "it says nothing about the backup");
}

/// Nobody is left to tell it; whoever looks next does.
#[test]
fn a_backup_that_is_killed_is_interrupted_for_whoever_looks_next() {
    let place = Place::new();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let holder = runtime.block_on(place.work.database.session());
    runtime.block_on(holder.batch("begin; lock table alpha.t")).expect("nobody else has it");
    let running = Running::start(&mut place.command(), &["backup", "create"]);
    until(
        &place.work.database,
        "select count(*) > 0 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    rustix::process::kill_process(running.pid(), Signal::KILL).expect("it runs");
    running.end();
    runtime.block_on(holder.batch("rollback")).expect("a transaction");
    let told = "select count(*) from migration_service.event where type = 'backup_interrupted'";
    assert_eq!(place.work.value(told).as_deref(), Some("0"));
    assert!(place.profe(&["backup", "list"]).ok(0).contains("There are no backups"));
    assert!(place.profe(&["backup", "list", "--status", "interrupted"]).ok(0).contains("interrupted"));
    assert_eq!(place.work.value(told).as_deref(), Some("1"));
}

/// The kernel lets files grow to 256 kB, as a full disk would.
#[test]
fn a_full_storage_is_told_and_nothing_stays() {
    let place = Place::new();
    place.work.value("insert into alpha.t select n, md5(n::text) || md5('x' || n) from generate_series(101, 20000) n");
    let command = place.command();
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 512; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args());
    limited.env_clear().current_dir(place.work.folder.path());
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let said = run(&mut limited, &["backup", "create"]).err(1);
    assert!(said.contains("error[backup_storage_full]") && said.contains("it is full"), "{said}");
    assert!(said.contains("make room"), "{said}");
    assert_eq!(files(&place.copies()), [] as [PathBuf; 0]);
    assert!(place.profe(&["backup", "list"]).ok(0).contains("There are no backups"));
}

#[test]
fn encrypted_backups_need_their_key_and_say_so() {
    let identity = Identity::generate();
    let (public, secret) = (identity.to_public().to_string(), identity.to_string().expose_secret().to_owned());
    let place = Place::new();
    let key = place.work.folder.path().join("key.txt");
    std::fs::write(&key, format!("# created: today\n# public key: {public}\n{secret}\n")).expect("our folder");
    let mut command = place.command();
    command.env("MIGRATION_SERVICE_BACKUP_RECIPIENTS", &public);
    let out = run(&mut command, &["backup", "create", "--output", "json"]).ok(0);
    let made: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(made["encrypted"], true, "{made}");
    let id = made["backupId"].as_str().expect("an id");
    let out = place.profe(&["backup", "list", "--output", "json"]).ok(0);
    assert!(out.contains("\"encrypted\": true") && out.contains(id), "{out}");
    for file in files(&place.copies()) {
        let is_sealed = std::fs::read(&file).expect("a file").starts_with(b"age-encryption.org/v1\n");
        assert_eq!(is_sealed, !file.ends_with("manifest.json"), "{file:?}");
    }

    let refused = place.profe(&["backup", "verify", id]).err(1);
    assert!(refused.contains("error[backup_key_missing]") && refused.contains(&public), "{refused}");
    assert!(refused.contains("help: set MIGRATION_SERVICE_BACKUP_IDENTITY_FILE to the key's file"), "{refused}");
    let with_key = || {
        let mut command = place.command();
        command.env("MIGRATION_SERVICE_BACKUP_IDENTITY_FILE", &key);
        command
    };
    let verified = run(&mut with_key(), &["backup", "verify", id]);
    assert!(!verified.err.contains(&secret));
    assert!(verified.ok(0).contains("was restored and is equal"));
    let into = format!("{}_back", place.work.database.name());
    run(&mut with_key(), &["backup", "restore", id, "--into", &into]).ok(0);
    let count = block_on(async { server().session(&into).await.batch("select count(*) from alpha.t").await });
    assert_eq!(count.expect("a table").value(0, 0), Some("100"));
    place.work.value(&format!("drop database \"{into}\" with (force)"));
}

#[test]
fn a_name_that_is_none_leads_nowhere() {
    let place = Place::new();
    let id = place.made();
    let before = files(place.work.folder.path());
    let outside = format!("../copies/{id}");
    let names = ["..", "../../etc/passwd", "/etc/passwd", outside.as_str(), "b1", "", "%2e%2e%2f", &id.to_uppercase()];
    for name in names {
        for command in
            [&["backup", "verify", name][..], &["backup", "restore", name], &["backup", "delete", name, "--yes"]]
        {
            let said = run(&mut place.command(), command).err(2);
            assert!(said.contains("error[unknown_backup]") && said.contains("list"), "{command:?}: {said}");
        }
    }
    assert_eq!(files(place.work.folder.path()), before);
}
