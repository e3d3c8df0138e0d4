//! Runs over fleets, stopped and finished by whichever process is there.

use serde_json::{Value, json};
use testkit::{TestDb, block_on, server};

use super::copies::{Copies, get, kill};
use crate::support::{Running, client, run, until};

const DATABASES: usize = 6;

/// Copies with a fleet of their own.
pub(super) struct Fleet {
    pub(super) copies: Copies,
    pub(super) databases: Vec<TestDb>,
}

impl Fleet {
    /// Its second migration takes a while on the way there and back.
    pub(super) fn new(seconds: &str) -> Self {
        let copies = Copies::new();
        let databases: Vec<TestDb> = (0..DATABASES).map(|_| block_on(server().empty_database())).collect();
        let names: Vec<String> = databases.iter().map(|database| format!("{:?}", database.name())).collect();
        let project = &copies.place.project;
        let catalogue = project.read("config/services.toml");
        let fleet = format!(
            "{catalogue}\n[fleets.tenants]\nservice = \"beta-service\"\nenvironment = \"development\"\n\
             databases = [{}]\ncanary = 1\nwave = 2\nper_server = 1\n",
            names.join(", ")
        );
        project.write("config/services.toml", &fleet);
        project.migration("beta/1_create_t", "create table beta.t (id int);", "drop table beta.t;");
        project.migration(
            "beta/2_create_u",
            &format!("select pg_sleep({seconds});\ncreate table beta.u (id int);"),
            &format!("drop table beta.u;\nselect pg_sleep({seconds});"),
        );
        // Whoever waits for something looks into the service's own tables, which are made when they are needed.
        run(&mut copies.place.profe(), &["token", "list"]).ok(0);
        Self { copies, databases }
    }

    /// How many migrations each database has.
    pub(super) fn applied(&self) -> Vec<String> {
        let count = "select count(*) from migration_service.history where rolled_back_at is null";
        self.databases.iter().map(|database| block_on(database.value(count)).unwrap_or_default()).collect()
    }

    /// The newest run, once it has done this many databases.
    fn run_with(&self, done: usize) -> String {
        let state = "in ('applied', 'rolled_back')";
        self.copies.until(&format!(
            "select count(*) >= {done} from migration_service.fleet_target t join migration_service.fleet_run r on r.id = t.run \
             where r.state = 'running' and t.state {state}"
        ));
        self.copies
            .place
            .value("select id::text from migration_service.fleet_run order by id desc limit 1")
            .expect("a run")
    }
}

fn cancel(port: u16, id: &str) -> Value {
    let answer =
        client().post(format!("http://127.0.0.1:{port}/api/fleets/runs/{id}/cancel")).send().expect("an answer");
    let status = answer.status();
    let answer: Value = answer.json().expect("JSON");
    assert_eq!(status, 200, "{answer}");
    answer
}

#[test]
fn any_copy_calls_off_the_fleet_run_of_any_process() {
    // Whoever is asked looks every two seconds; there is more to do than that takes.
    let fleet = Fleet::new("3");
    let ((first, port), (second, other)) = (fleet.copies.start("20s"), fleet.copies.start("20s"));
    // Of a terminal …
    let terminal = Running::start(&mut fleet.copies.place.profe(), &["fleet", "run", "tenants"]);
    let id = fleet.run_with(1);
    let called_off = cancel(port, &id);
    assert_eq!(
        (&called_off["state"], &called_off["counts"]["running"]),
        (&json!("cancelled"), &Value::Null),
        "{called_off}"
    );
    let (status, _, said) = terminal.end();
    assert_ne!(status.code(), Some(0), "{said}");
    let begun: i64 = called_off["counts"]["pending"].as_i64().expect("some are left");
    assert!(begun > 0, "{called_off}");
    // … and of another copy, which goes on with the same run.
    let resume = client().post(format!("http://127.0.0.1:{port}/api/fleets/runs/{id}/resume")).json(&json!({})).send();
    assert_eq!(resume.expect("an answer").status(), 202, "what was asked before is forgotten");
    fleet.copies.until(&format!(
        "select count(*) < {begun} from migration_service.fleet_target where run = '{id}' and state = 'pending'"
    ));
    let called_off = cancel(other, &id);
    assert_eq!(
        (&called_off["state"], &called_off["counts"]["running"]),
        (&json!("cancelled"), &Value::Null),
        "{called_off}"
    );
    assert_eq!([first.interrupt().0.code(), second.interrupt().0.code()], [Some(0), Some(0)]);
}

/// Whoever was asked to call it off may die before it has looked.
#[test]
fn what_was_to_be_called_off_is_not_taken_up() {
    let fleet = Fleet::new("0.4");
    let terminal = Running::start(&mut fleet.copies.place.profe(), &["fleet", "run", "tenants"]);
    let id = fleet.run_with(1);
    kill(terminal);
    let asked = format!("update migration_service.fleet_run set cancel_asked = true where id = '{id}'");
    fleet.copies.place.value(&asked);
    let (serving, port) = fleet.copies.start("20s");
    fleet.copies.until(&format!("select state = 'cancelled' from migration_service.fleet_run where id = '{id}'"));
    assert_eq!(get(port, &format!("/api/fleets/runs/{id}"))["state"], json!("cancelled"));
    assert_eq!(serving.interrupt().0.code(), Some(0));
}

/// One step back was asked for; the database that was in hand when the terminal was killed has done it, though nobody wrote
/// that down.
#[test]
fn a_copy_finishes_the_rollback_of_a_killed_terminal_and_takes_no_step_twice() {
    let fleet = Fleet::new("0.3");
    run(&mut fleet.copies.place.profe(), &["fleet", "run", "tenants"]).ok(0);
    let terminal = Running::start(&mut fleet.copies.place.profe(), &["fleet", "rollback", "tenants", "--steps", "1"]);
    let id = fleet.run_with(2);
    kill(terminal);
    // What is sent goes on without its sender.
    let at_work = "select count(*) = 0 from pg_stat_activity where datname = current_database() and application_name like 'profe rollback%'";
    fleet.databases.iter().for_each(|database| until(database, at_work));
    assert!(fleet.applied().contains(&"2".to_owned()), "some are left to be taken back");
    let (serving, port) = fleet.copies.start("20s");
    fleet.copies.until(&format!("select state = 'completed' from migration_service.fleet_run where id = '{id}'"));
    assert_eq!(fleet.applied(), ["1"; DATABASES]);
    let ended = get(port, &format!("/api/fleets/runs/{id}"));
    assert_eq!(ended["done"], json!(DATABASES), "{ended}");
    assert_eq!(serving.interrupt().0.code(), Some(0));
}
