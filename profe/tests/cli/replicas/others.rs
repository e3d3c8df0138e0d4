//! Backups, verifications, restores and validations whose copy was killed: what another one makes of them.

use rustix::process::Signal;
use serde_json::json;
use testkit::block_on;

use super::copies::{Copies, cure_of_interrupted_restore, get, kill, post, post_and_wait};
use crate::support::until;

/// Rows that take a moment to be restored.
const ROWS: &str = "insert into alpha.t select g from generate_series(1, 400000) g";

/// The copies, and the database's owner, by whom what is left on the shared server is known.
pub(super) struct Place {
    pub(super) copies: Copies,
    pub(super) user: String,
    url: String,
}

impl Place {
    fn new() -> Self {
        Self::of(Copies::new().applied())
    }

    pub(super) fn of(copies: Copies) -> Self {
        let (user, url) = copies.place.plain_user();
        copies.place.value(&format!("alter role {user} superuser"));
        Self { copies, user, url }
    }

    pub(super) fn start(&self) -> (crate::support::Running, u16) {
        self.copies.start_at(&self.url, "20s")
    }

    /// How many databases there are with such names, as a condition.
    pub(super) fn has(&self, like: &str, how_many: &str) -> String {
        format!(
            "select count(*) {how_many} from pg_database where datname like '{like}' and datdba = '{}'::regrole",
            self.user
        )
    }

    pub(super) fn drop_user(&self) {
        self.copies.place.value(&format!("reassign owned by {} to current_user", self.user));
        self.copies.place.drop_user(&self.user);
    }
}

fn backup(port: u16) -> String {
    let made = post_and_wait(port, "/api/backup/create", json!({}));
    made["backupId"].as_str().expect("an id").to_owned()
}

#[test]
fn another_copy_makes_the_backup_anew_of_one_that_was_killed() {
    let copies = Copies::new().applied();
    let ((first, port), (second, other)) = (copies.start("20s"), copies.start("20s"));
    // It waits for this table as long as it is locked.
    let held = copies.lock("alpha.t");
    let body = json!({ "service": "alpha-service", "description": "before the release", "retentionDays": 9 });
    let id = post(port, "/api/backup/create", &body)["backupId"].as_str().expect("an id").to_owned();
    copies.until("select true from pg_locks where not granted and relation = 'alpha.t'::regclass");
    first.signal(Signal::KILL);
    held.let_go();
    // Only now is its pg_dump gone, too, which has its streams.
    first.end();
    copies.until(&format!(
        "select true from migration_service.backup o join migration_service.backup n on n.id = o.continued_by \
         where o.id = '{id}' and n.state = 'ready'"
    ));
    let old = get(other, &format!("/api/backup/{id}"));
    assert_eq!((&old["status"], &old["error"]["code"]), (&json!("interrupted"), &json!("interrupted")), "{old}");
    let new = get(other, &format!("/api/backup/{}", old["continuedBy"].as_str().expect("an id")));
    assert_eq!(
        (&new["status"], &new["services"], &new["description"], &new["retentionDays"], &new["madeBy"]),
        (&json!("ready"), &json!(["alpha-service"]), &json!("before the release"), &json!(9), &old["madeBy"]),
        "{new}"
    );
    assert_eq!(second.interrupt().0.code(), Some(0));
}

#[test]
fn a_restore_that_was_killed_leaves_nothing_and_says_what_to_do() {
    let place = Place::new();
    place.copies.place.value(ROWS);
    let ((first, port), (second, other)) = (place.start(), place.start());
    let id = backup(port);
    let into = format!("into_{}", place.user);
    post(port, &format!("/api/backup/restore/{id}"), &json!({ "confirm": id, "into": into }));
    let database = place.copies.database();
    until(database, &place.has("profe\\_restoring\\_%", "> 0"));
    kill(first);
    place.copies.until("select true from migration_service.restore where state = 'interrupted'");
    until(database, &place.has("profe\\_restoring\\_%", "= 0"));
    let cure = cure_of_interrupted_restore(other, &id);
    assert!(cure.starts_with("restore it again"), "{cure}");
    assert_eq!(block_on(database.value(&place.has(&into, "= 0"))).as_deref(), Some("t"));
    let again = post_and_wait(other, &format!("/api/backup/restore/{id}"), json!({ "confirm": id, "into": into }));
    assert_eq!(again["job"]["status"], json!("completed"), "{again}");
    place.copies.place.value(&format!("drop database {into}"));
    assert_eq!(second.interrupt().0.code(), Some(0));
    place.drop_user();
}

/// Nobody has a record of them: the next copy that starts sweeps the servers, and those that serve do every few minutes.
#[test]
fn the_databases_of_a_verification_and_of_a_rehearsal_that_were_killed_are_dropped() {
    let place = Place::new();
    place.copies.place.value(ROWS);
    let (first, port) = place.start();
    let id = backup(port);
    post(port, &format!("/api/backup/{id}/verify"), &json!({}));
    let database = place.copies.database();
    until(database, &place.has("profe\\_verifying\\_%", "> 0"));
    kill(first);

    place.copies.place.project.migration("alpha/4_long", "select pg_sleep(600);", "select 1;");
    let (second, port) = place.start();
    until(database, &place.has("profe\\_verifying\\_%", "= 0"));
    let asked = std::thread::spawn(move || {
        let body = json!({ "gates": ["rehearsed"] });
        let url = format!("http://127.0.0.1:{port}/api/migrations/validate");
        crate::support::client().post(url).json(&body).send().map(|answer| answer.status())
    });
    let sleeps = format!(
        "select count(*) > 0 from pg_stat_activity where usename = '{}' and datname like 'scratch\\_rehearsal\\_%' and wait_event = 'PgSleep'",
        place.user
    );
    until(database, &sleeps);
    kill(second);
    assert!(asked.join().expect("no panic").is_err(), "nobody answers");
    let (third, _) = place.start();
    until(database, &place.has("scratch\\_rehearsal\\_%", "= 0"));
    assert_eq!(third.interrupt().0.code(), Some(0));
    place.drop_user();
}
