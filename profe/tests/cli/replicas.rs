//! Copies of the service that end or die in the middle of a run, and those that go on with it.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Running, Workplace, client, free_port, until};

const SLEEPS: &str = "select true from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";

/// A project whose second migration lasts until somebody has opened the gate, and the copies that serve it.
struct Copies {
    place: Workplace,
}

impl Copies {
    fn new() -> Self {
        let place = Workplace::new();
        place.project.migration("alpha/1_gate", "create table alpha.gate (open bool);", "drop table alpha.gate;");
        place.project.migration(
            "alpha/2_wait",
            "select pg_sleep(case when exists (select from alpha.gate) then 0 else 600 end);\ncreate table alpha.t (id int);",
            "drop table alpha.t;\nselect pg_sleep(600);",
        );
        place.project.migration("alpha/3_more", "create table alpha.u (id int);", "drop table alpha.u;");
        Self { place }
    }

    /// Starts a copy; answers it with its port.
    fn start(&self, grace: &str) -> (Running, u16) {
        let port = free_port();
        let mut command = self.place.profe();
        command.env("MIGRATION_SERVICE_PORT", port.to_string()).env("MIGRATION_SERVICE_RUN_GRACE", grace);
        let mut serving = Running::start(&mut command, &["serve", "--only", "migration-service", "--output", "json"]);
        serving.wait_for("\"ready\":true");
        (serving, port)
    }

    /// Asks a copy for something, and waits until it sleeps.
    fn ask(&self, port: u16, path: &str, body: &Value) -> String {
        let answer = client().post(format!("http://127.0.0.1:{port}{path}")).json(body).send().expect("an answer");
        assert_eq!(answer.status(), 202);
        until(&self.place.database, SLEEPS);
        let answer: Value = answer.json().expect("JSON");
        answer["migrationId"].as_str().expect("an id").to_owned()
    }

    fn open_the_gate(&self) {
        self.place.value("insert into alpha.gate values (true)");
    }

    /// Waits until a run has gone on with this one, to its end; answers both as a copy shows them.
    fn continued(&self, port: u16, id: &str) -> (Value, Value) {
        let query = format!(
            "select true from migration_service.run o join migration_service.run n on n.id = o.continued_by \
             where o.id = '{id}' and n.state = 'completed'"
        );
        until(&self.place.database, &query);
        let old = run_at(port, id);
        let new = run_at(port, old["continuedBy"].as_str().expect("a run"));
        (old, new)
    }

    fn assert_whole(&self) {
        let applied = self.place.value("select string_agg(name, ' ' order by id) from migration_service.history");
        assert_eq!(applied.as_deref(), Some("gate wait more"), "each once");
        assert_eq!(self.place.value("select to_regclass('alpha.u')::text").as_deref(), Some("alpha.u"));
        assert_eq!(self.place.value(&format!("select count(*) from ({SLEEPS}) s")).as_deref(), Some("0"));
    }
}

fn run_at(port: u16, id: &str) -> Value {
    let answer = client().get(format!("http://127.0.0.1:{port}/api/migrations/runs/{id}")).send().expect("an answer");
    answer.json().expect("JSON")
}

#[test]
fn another_copy_goes_on_with_the_run_of_one_that_was_killed() {
    let copies = Copies::new();
    let ((first, port), (second, other)) = (copies.start("20s"), copies.start("20s"));
    let id = copies.ask(port, "/api/migrations/run", &json!({ "service": "alpha-service" }));
    copies.open_the_gate();
    first.signal(Signal::KILL);
    first.end();
    let (old, new) = copies.continued(other, &id);
    assert_eq!((&old["status"], &new["continues"]), (&json!("interrupted"), &json!(id)));
    assert_eq!(
        (&new["actor"], &new["service"], &new["done"]),
        (&old["actor"], &json!("alpha-service"), &json!(["alpha/2", "alpha/3"]))
    );
    copies.assert_whole();
    assert_eq!(second.interrupt().0.code(), Some(0));
}

#[test]
fn a_run_is_handed_over_at_the_end_of_its_copys_grace_time_also_to_the_next_start() {
    let copies = Copies::new();
    let (first, port) = copies.start("off");
    let id = copies.ask(port, "/api/migrations/run", &json!({}));
    first.signal(Signal::TERM);
    assert_eq!(first.end().0.code(), Some(0));
    let query =
        format!("select state || ' ' || (report->'error'->>'code') from migration_service.run where id = '{id}'");
    assert_eq!(copies.place.value(&query).as_deref(), Some("interrupted cancelled"), "what was in hand was taken back");
    copies.open_the_gate();
    let (second, other) = copies.start("off");
    copies.continued(other, &id);
    copies.assert_whole();
    assert_eq!(second.interrupt().0.code(), Some(0));
}

#[test]
fn a_run_that_ends_within_the_grace_time_ends() {
    let copies = Copies::new();
    copies.place.project.migration(
        "alpha/2_wait",
        "select pg_sleep(1);\ncreate table alpha.t (id int);",
        "drop table alpha.t;",
    );
    let (first, port) = copies.start("2m");
    let id = copies.ask(port, "/api/migrations/run", &json!({}));
    first.signal(Signal::TERM);
    assert_eq!(first.end().0.code(), Some(0));
    let state = copies.place.value(&format!("select state from migration_service.run where id = '{id}'"));
    assert_eq!(state.as_deref(), Some("completed"));
    copies.assert_whole();
}

#[test]
fn any_copy_stops_the_run_of_any_process() {
    let copies = Copies::new();
    let (serving, port) = copies.start("20s");
    let mut terminal = copies.place.profe();
    let terminal = Running::start(&mut terminal, &["migrate", "run"]);
    until(&copies.place.database, "select true from migration_service.run where state = 'running'");
    let id = copies.place.value("select id::text from migration_service.run where state = 'running'").expect("a run");
    let cancel = client().post(format!("http://127.0.0.1:{port}/api/migrations/runs/{id}/cancel"));
    assert_eq!(cancel.send().expect("an answer").status(), 202);
    let (status, _, said) = terminal.end();
    assert_eq!(status.code(), Some(130), "{said}");
    assert_eq!(run_at(port, &id)["status"], json!("cancelled"));
    assert_eq!(serving.interrupt().0.code(), Some(0));
}

/// It takes away; whoever asked for it decides whether it goes on.
#[test]
fn a_rollback_that_was_interrupted_is_not_gone_on_with() {
    let copies = Copies::new();
    let (first, port) = copies.start("off");
    copies.place.value("select 1");
    let run = client()
        .post(format!("http://127.0.0.1:{port}/api/migrations/run"))
        .json(&json!({ "to": "alpha/1", "wait": true }));
    assert_eq!(run.send().expect("an answer").status(), 200);
    copies.open_the_gate();
    let run = client().post(format!("http://127.0.0.1:{port}/api/migrations/run")).json(&json!({ "wait": true }));
    assert_eq!(run.send().expect("an answer").status(), 200);
    let id = copies.ask(port, "/api/migrations/rollback", &json!({ "steps": 2 }));
    first.signal(Signal::KILL);
    first.end();
    let (second, other) = copies.start("off");
    until(
        &copies.place.database,
        &format!("select state = 'interrupted' and run_order is null from migration_service.run where id = '{id}'"),
    );
    assert!(run_at(other, &id)["continuedBy"].is_null());
    assert_eq!(second.interrupt().0.code(), Some(0));
}
