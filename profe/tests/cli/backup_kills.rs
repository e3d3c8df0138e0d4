//! `profe backup`, killed at random moments: what is listed can be restored, and nothing stays for long.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::{moments, processes_with, seed};

use crate::support::{DEADLINE, Done, Workplace, run};

const UP: &str = "create table alpha.t (id int primary key, title text not null);\n";
const DOWN: &str = "drop table alpha.t;\n";
const KILLS: u32 = 20;

/// Marks what a killed command has started.
const MARK: &str = "STARTED_BY_THIS_TEST";

struct Place {
    work: Workplace,
    /// The commands' own user, by whom what is left is known.
    user: String,
    url: String,
    temporary: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let work = Workplace::new();
        work.project.migration("alpha/1_create_t", UP, DOWN);
        run(&mut work.profe(), &["migrate", "run"]).ok(0);
        work.value("insert into alpha.t select n, repeat(md5(n::text), 10) from generate_series(1, 30000) n");
        let (user, url) = work.plain_user();
        work.value(&format!("alter role {user} superuser"));
        Self { work, user, url, temporary: tempfile::tempdir().expect("a folder") }
    }

    fn command(&self) -> Command {
        let mut command = self.work.profe_at(&self.url);
        command
            .env("MIGRATION_SERVICE_BACKUP_STORAGE", self.work.folder.path().join("copies"))
            .env("TMPDIR", self.temporary.path())
            .env(MARK, &self.user);
        command
    }

    fn profe(&self, arguments: &[&str]) -> Done {
        run(&mut self.command(), arguments)
    }

    /// How long it takes when nobody disturbs it.
    fn time(&self, arguments: &[&str]) -> Duration {
        let begun = Instant::now();
        self.profe(arguments).ok(0);
        begun.elapsed()
    }

    /// Starts a command and kills it after a while; nothing else is killed. Returns when nothing of it is left.
    fn kill(&self, arguments: &[&str], after: Duration) {
        let mut command = self.command();
        let child = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("it starts");
        // The moment is what is tested.
        std::thread::sleep(after);
        child.kill().expect("our own child");
        child.wait().expect("our own child");
        let sessions = format!("select count(*) from pg_stat_activity where usename = '{}'", self.user);
        let give_up = Instant::now() + DEADLINE;
        loop {
            let (programs, sessions) = (processes_with(MARK, &self.user), self.work.value(&sessions));
            if programs.is_empty() && sessions.as_deref() == Some("0") {
                return;
            }
            assert!(Instant::now() < give_up, "still there: {programs:?}, sessions: {sessions:?}");
        }
    }

    /// What is listed as whole, and how.
    fn listed(&self) -> Vec<(String, Value)> {
        let out = self.profe(&["backup", "list", "--output", "json"]).ok(0);
        let list: Value = serde_json::from_str(&out).expect("JSON");
        let one = |backup: &Value| (backup["backupId"].as_str().expect("an id").to_owned(), backup["status"].clone());
        list.as_array().expect("a list").iter().map(one).collect()
    }

    /// Databases and files.
    fn left(&self) -> Vec<String> {
        let databases = format!(
            "select coalesce(string_agg(datname, ','), '') from pg_database where datdba = '{}'::regrole",
            self.user
        );
        let files = std::fs::read_dir(self.temporary.path()).expect("our folder");
        let files = files.map(|file| file.expect("an entry").path().display().to_string());
        files.chain(self.work.value(&databases).filter(|names| !names.is_empty())).collect()
    }
}

#[test]
fn a_backup_that_is_killed_is_whole_or_not_listed() {
    let place = Place::new();
    let takes = place.time(&["backup", "create"]);
    let mut proven = BTreeSet::new();
    let seed = seed();
    for (number, after) in moments(seed, KILLS, takes).into_iter().enumerate() {
        place.kill(&["backup", "create"], after);
        for (id, status) in place.listed() {
            let about = format!("kill {number} of seed {seed}, after {after:?} of {takes:?}: {id}");
            assert_eq!(status, "ready", "{about}");
            if proven.insert(id.clone()) {
                let verified = place.profe(&["backup", "verify", &id]);
                assert_eq!(verified.code, 0, "{about}: {verified:?}");
            }
        }
    }
    assert!(!proven.is_empty() && proven.len() <= KILLS as usize, "{proven:?}");
    place.profe(&["backup", "create"]).ok(0);
    assert_eq!((place.listed().len(), place.left()), (proven.len() + 1, Vec::new()), "seed {seed}");
    place.work.drop_user(&place.user);
}

/// A scratch database holds everything that the backup does; the next one who works on backups there drops it.
#[test]
fn a_verification_that_is_killed_leaves_its_database_to_the_next_one() {
    let place = Place::new();
    place.profe(&["backup", "create"]).ok(0);
    let (id, _) = place.listed().remove(0);
    let takes = place.time(&["backup", "verify", &id]);
    let seed = seed();
    for (number, after) in moments(seed, 6, takes).into_iter().enumerate() {
        place.kill(&["backup", "verify", &id], after);
        let status = &place.listed()[0].1;
        assert_eq!(status, "ready", "kill {number} of seed {seed}, after {after:?} of {takes:?}");
    }
    place.profe(&["backup", "verify", &id]).ok(0);
    assert_eq!(place.left(), [] as [&str; 0], "seed {seed}");
    place.work.drop_user(&place.user);
}
