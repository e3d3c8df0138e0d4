//! A backup by the clock whose copy is killed in the middle: what it counts for, and who makes it then.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::copies::{Copies, get, post_and_wait};
use crate::support::{DEADLINE, client};

const LARGE_OBJECTS: &str = "pg_catalog.pg_largeobject_metadata";
const TWO_DAYS: Duration = Duration::from_hours(48);

/// Copies of a project with a schedule that is due once, an hour ago, and that wants a verified backup before each run.
fn copies() -> Copies {
    let copies = Copies::new().applied();
    let project = &copies.place.project;
    let cron = copies
        .place
        .value("select to_char(now() at time zone 'utc' - interval '1 hour', 'MI HH24 * * *')")
        .expect("a time");
    let settings = format!(
        "[environments.development]\n\
         backup = {{ before_run = true, verify = true, fresh_for_minutes = 600, keep_count = 1, schedules = [{{ cron = \"{cron}\" }}] }}"
    );
    let catalogue = project.read("config/services.toml");
    project.write("config/services.toml", &catalogue.replace("[environments.development]", &settings));
    copies
}

/// The moment that is due is not done, and nobody has claimed it.
fn becomes_due(copies: &Copies, which: &str) {
    copies.until(&format!("select count(*) > 0 from migration_service.backup_schedule where {which}"));
    copies.place.value(&format!(
        "update migration_service.backup_schedule set done_until = '2000-01-01', claim = null, claimed_until = null where {which}"
    ));
}

/// Its parts lie in the storage, and no manifest.
fn is_half(folder: &Path) -> bool {
    folder.read_dir().is_ok_and(|mut found| found.next().is_some()) && !folder.join("manifest.json").exists()
}

/// What was written there was written so long ago.
fn age(folder: &Path, by: Duration) {
    for entry in folder.read_dir().expect("a folder") {
        let file = std::fs::File::options().write(true).open(entry.expect("an entry").path()).expect("our own file");
        file.set_modified(SystemTime::now() - by).expect("our own file");
    }
}

fn metrics(port: u16) -> String {
    client().get(format!("http://127.0.0.1:{port}/metrics")).send().expect("an answer").text().expect("text")
}

fn listed(port: u16, query: &str) -> Vec<Value> {
    let list = get(port, &format!("/api/backup/list{query}"));
    list["backups"].as_array().unwrap_or_else(|| panic!("no list: {list}")).clone()
}

#[test]
fn a_backup_by_the_clock_that_was_killed_counts_for_nothing_and_another_copy_makes_it() {
    let copies = copies();
    let (one, other) = (copies.start("20s"), copies.start("20s"));
    copies.until("select count(*) = 1 from migration_service.backup_schedule where environment <> ''");
    // Only pg_dump reads this, and waits as long as it is locked; what else there is of a backup is stored meanwhile.
    let held = copies.lock(LARGE_OBJECTS);
    becomes_due(&copies, "environment <> ''");
    copies.until(&format!(
        "select count(*) > 0 from pg_locks where not granted and relation = '{LARGE_OBJECTS}'::regclass"
    ));
    let begun = |column: &str| {
        copies
            .place
            .value(&format!("select {column} from migration_service.backup where description like 'scheduled:%'"))
    };
    let (id, pid) = (begun("id").expect("one backup"), begun("pid").expect("its process"));
    let folder: PathBuf = copies.place.folder.path().join("copies").join(&id);
    let give_up = Instant::now() + DEADLINE;
    while !is_half(&folder) {
        assert!(Instant::now() < give_up, "nothing of it is stored: {folder:?}");
    }
    let has_it = one.0.pid().as_raw_nonzero().to_string() == pid;
    let ((dies, _), (lives, port)) = if has_it { (one, other) } else { (other, one) };
    dies.signal(Signal::KILL);
    held.let_go();
    dies.end();

    copies.until(&format!("select state = 'interrupted' from migration_service.backup where id = '{id}'"));
    let half = get(port, &format!("/api/backup/{id}"));
    assert_eq!(
        (&half["status"], &half["verification"]["status"]),
        (&json!("interrupted"), &json!("unverified")),
        "{half}"
    );
    let cure = half["error"]["cure"].as_str().expect("a cure");
    assert!(cure.starts_with("wait: its schedule makes another one"), "{half}");
    assert!(listed(port, "").is_empty(), "no half backup is listed");
    assert!(!metrics(port).contains("backup_last_success_timestamp_seconds{"), "nor is there a last one");
    let claims = "select claim is not null and claimed_until > now() from migration_service.backup_schedule where environment <> ''";
    assert_eq!(copies.place.value(claims).as_deref(), Some("t"), "its claim lapses, and is not taken away");
    assert_eq!(begun("count(*)").as_deref(), Some("1"));

    // As if two minutes had passed.
    copies.place.value("update migration_service.backup_schedule set claimed_until = now() - interval '1 second' where environment <> ''");
    copies.until("select count(*) = 1 from migration_service.backup where state = 'ready' and verified_at is not null");
    copies.until("select claim is null from migration_service.backup_schedule where environment <> ''");
    let made = listed(port, "");
    assert_eq!((made.len(), &made[0]["madeBy"]), (1, &json!("system:schedule")), "{made:?}");
    assert_eq!(begun("count(*)").as_deref(), Some("2"), "made once more, and not twice");
    assert_eq!(get(port, &format!("/api/backup/{id}"))["status"], "interrupted", "and that one stays what it is");

    // A run takes the one that is whole for its backup, not the newer half.
    let last = format!("update migration_service.backup set started_at = now() where id = '{id}'");
    copies.place.value(&last);
    copies.place.project.migration("alpha/4_v", "create table alpha.v ();", "drop table alpha.v;");
    let ran = post_and_wait(port, "/api/migrations/run", json!({}));
    assert_eq!((&ran["backupOrigin"], &ran["backupId"]), (&json!("accepted"), &made[0]["backupId"]), "{ran}");

    // What is left of it in the storage goes when it is a day old, by itself.
    assert!(is_half(&folder), "too early: {folder:?}");
    age(&folder, TWO_DAYS);
    becomes_due(&copies, "schedule = 'sweep'");
    copies.until("select claim is null and done_until > '2001-01-01' from migration_service.backup_schedule where schedule = 'sweep'");
    let whole = folder.with_file_name(made[0]["backupId"].as_str().expect("an id"));
    assert!(!folder.exists() && whole.join("manifest.json").exists(), "it is swept, and nothing else");
    assert_eq!(lives.interrupt().0.code(), Some(0));
}
