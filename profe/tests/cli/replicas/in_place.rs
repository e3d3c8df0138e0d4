//! Restores in place whose copy is killed: before the names change hands, in the transaction in which they do, and after it.
//!
//! What keeps a restore at such a boundary is somebody who holds a lock that it needs there, and nowhere before.

use postgres_link::AdminConn;
use rustix::process::Signal;
use serde_json::{Value, json};
use testkit::block_on;
use tokio::runtime::Runtime;

use super::copies::{Copies, cure_of_interrupted_restore, post, post_and_wait};
use super::others::Place;
use crate::support::{Workplace, client, run, until};

/// A table, a sequence beside it, and a key of another service.
const MIGRATIONS: [(&str, &str, &str); 3] = [
    ("alpha/1_t", "create table alpha.t (id int primary key);", "drop table alpha.t;"),
    ("alpha/2_numbers", "create sequence alpha.numbers;", "drop sequence alpha.numbers;"),
    ("beta/3_ref", "create table beta.ref (id int references alpha.t);", "drop table beta.ref;"),
];
/// The rows, the tables and the history of what is restored, in one text.
const STATE: &str = "select concat_ws(' / ', \
    (select string_agg(id::text, ' ' order by id) from alpha.t), \
    (select string_agg(relname, ' ' order by relname) from pg_class where relnamespace = 'alpha'::regnamespace and relkind = 'r'), \
    (select string_agg(name, ' ' order by version) from migration_service.history where schema_name = 'alpha' and rolled_back_at is null))";
const BACKED_UP: &str = "1 2 3 / t / t numbers";
const LATER: &str = "2 3 4 / late t / t numbers late";
/// A restore's session waits for a lock.
const WAITS: &str = "select count(*) > 0 from pg_stat_activity where datname = current_database() \
    and wait_event_type = 'Lock' and application_name like 'profe restore%'";
const GONE: &str = "select count(*) = 0 from pg_stat_activity where datname = current_database() \
    and (application_name like 'profe restore%' or application_name like 'profe backup%' or application_name like 'pg\\_%')";

/// What may be there in the end.
enum End {
    Old,
    New,
    Either,
}

/// Whoever holds a lock, on the live database.
struct Holder {
    runtime: Runtime,
    session: AdminConn,
}

impl Holder {
    fn of(place: &Place, sql: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let session = runtime.block_on(place.copies.database().session());
        runtime.block_on(session.batch(&format!("begin; {sql}"))).expect("nobody else has it");
        Self { runtime, session }
    }

    fn let_go(&self) {
        self.runtime.block_on(self.session.batch("rollback")).expect("a transaction");
    }
}

/// A backup of alpha-service, and a database that has gone on since.
fn place() -> (Place, Value) {
    let work = Workplace::new();
    for (name, up, down) in MIGRATIONS {
        work.project.migration(name, up, down);
    }
    run(&mut work.profe(), &["migrate", "run"]).ok(0);
    let place = Place::of(Copies { place: work });
    let value = |sql: &str| place.copies.place.value(sql);
    value("insert into alpha.t values (1), (2), (3); insert into beta.ref values (2)");
    assert_eq!(value(STATE).as_deref(), Some(BACKED_UP));
    let (copy, port) = place.start();
    let made = post_and_wait(port, "/api/backup/create", json!({ "service": "alpha-service" }));
    place.copies.place.project.migration("alpha/4_late", "create table alpha.late ();", "drop table alpha.late;");
    post_and_wait(port, "/api/migrations/run", json!({}));
    value("delete from alpha.t where id = 1; insert into alpha.t values (4)");
    assert_eq!(value(STATE).as_deref(), Some(LATER));
    assert_eq!(copy.interrupt().0.code(), Some(0));
    (place, made["backupId"].clone())
}

fn killed(holding: &str, boundary: &str, waits_on: bool, end: &End) {
    let (place, backup) = place();
    let id = backup.as_str().expect("an id");
    let value = |sql: &str| block_on(place.copies.database().value(sql));
    let ((first, port), (second, other)) = (place.start(), place.start());
    let holder = Holder::of(&place, holding);
    let order = json!({ "confirm": id, "inPlace": true });
    post(port, &format!("/api/backup/restore/{id}"), &order);
    place.copies.until(boundary);
    first.signal(Signal::KILL);
    if waits_on {
        place.copies.until(GONE);
    }
    holder.let_go();
    // Its programs have its streams, and some wait for the lock.
    first.end();
    place.copies.until(GONE);

    // All of it or nothing, as the audit says.
    let state = value(STATE).expect("a text");
    let is_new = state == BACKED_UP;
    let fits = match end {
        End::Old => !is_new,
        End::New => is_new,
        End::Either => true,
    };
    assert!((is_new || state == LATER) && fits, "{state}");
    place.copies.until("select state = 'interrupted' from migration_service.restore");
    let told = "select count(*) from migration_service.audit_entry a join migration_service.restore r on r.id = a.run_id where a.event = 'restore'";
    assert_eq!(value(told).as_deref(), Some(if is_new { "1" } else { "0" }));
    let cure = cure_of_interrupted_restore(other, id);
    assert!(cure.contains("audit list"), "{cure}");

    // The copy that lives sweeps every few minutes: as if they had passed.
    place.copies.until("select count(*) = 1 from migration_service.backup_schedule where schedule = 'servers'");
    value(
        "update migration_service.backup_schedule set done_until = '2000-01-01', claim = null, claimed_until = null where schedule = 'servers'",
    );
    until(place.copies.database(), &place.has("profe\\_%", "= 0"));
    place.copies.until("select count(*) = 0 from pg_namespace where nspname like '%\\_profe\\_%'");
    assert_eq!(value("select count(*) from pg_trigger where tgname like 'keys\\_profe%'").as_deref(), Some("0"));
    assert_eq!(
        value("select string_agg(convalidated::text, '') from pg_constraint where conname = 'ref_id_fkey'").as_deref(),
        Some("true")
    );
    assert_eq!(value(STATE), Some(state), "nothing else has changed");

    // The service goes on: nobody holds its lock, nothing is drift, what is missing is applied, and it is restored after all.
    let drift = client().post(format!("http://127.0.0.1:{other}/api/drift/check")).json(&json!({})).send();
    let drift: Value = drift.expect("an answer").json().expect("JSON");
    assert_eq!((&drift["agrees"], &drift["findings"]), (&json!(true), &json!([])), "{drift}");
    let ran = post_and_wait(other, "/api/migrations/run", json!({}));
    assert_eq!(ran["migrationsApplied"], json!(u8::from(is_new)), "{ran}");
    let again = post_and_wait(other, &format!("/api/backup/restore/{id}"), order);
    assert_eq!(again["job"]["status"], json!("completed"), "{again}");
    assert_eq!(value(STATE).as_deref(), Some(BACKED_UP));
    let states = "select string_agg(state, ' ' order by started_at) from migration_service.restore";
    assert_eq!(value(states).as_deref(), Some("interrupted completed"));
    assert_eq!(second.interrupt().0.code(), Some(0));
    place.drop_user();
}

#[test]
fn killed_while_what_is_there_is_backed_up_it_has_changed_nothing() {
    let dumping = "select count(*) > 0 from pg_locks where not granted and relation = 'alpha.t'::regclass";
    killed("lock table alpha.t", dumping, false, &End::Old);
}

/// What was restored lies beside, and others' tables are being watched.
#[test]
fn killed_before_the_names_change_hands_it_has_changed_nothing() {
    killed("lock table beta.ref in row exclusive mode", WAITS, false, &End::Old);
}

/// The server has the whole of the message, and goes on with it or takes it back.
#[test]
fn killed_while_the_names_change_hands_it_is_all_or_nothing() {
    killed("lock table alpha.t in access share mode", WAITS, false, &End::Either);
}

/// Its patience with who reads the tables ends after it is dead.
#[test]
fn killed_while_it_waits_for_those_who_read_it_has_changed_nothing() {
    killed("lock table alpha.t in access share mode", WAITS, true, &End::Old);
}

/// Only what was there before is not dropped yet: somebody reads a sequence of it.
#[test]
fn killed_when_the_names_have_changed_hands_all_of_it_is_done() {
    killed("select last_value from alpha.numbers", WAITS, false, &End::New);
}
