//! Runs, rollbacks and seeds whose copy ends or dies.

use rustix::process::Signal;
use serde_json::{Value, json};
use testkit::block_on;

use super::copies::{Copies, SLEEPS, get, kill, post_and_wait, run_at};
use crate::support::{Running, client};

const RUN: &str = "/api/migrations/run";
const ROLLBACK: &str = "/api/migrations/rollback";

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value["error"][member].as_str().unwrap_or_else(|| panic!("no {member} of an error: {value}"))
}

#[test]
fn another_copy_goes_on_with_the_run_of_one_that_was_killed() {
    let copies = Copies::new();
    let ((first, port), (second, other)) = (copies.start("20s"), copies.start("20s"));
    let id = copies.ask_and_wait(port, RUN, &json!({ "service": "alpha-service" }));
    copies.open_the_gate();
    kill(first);
    let (old, new) = copies.continued(other, &id);
    assert_eq!((&old["status"], &new["continues"]), (&json!("interrupted"), &json!(id)));
    assert_eq!(
        (&new["actor"], &new["service"], &new["done"]),
        (&old["actor"], &json!("alpha-service"), &json!(["alpha/2", "alpha/3"]))
    );
    copies.assert_whole();
    let old = copies.told(other, &id);
    assert_eq!((&old["done"], text(&old, "code")), (&json!(["alpha/1"]), "interrupted"), "{old}");
    assert!(text(&old, "cure").contains("continuedBy"), "{old}");
    assert_eq!(second.interrupt().0.code(), Some(0));
}

#[test]
fn a_run_is_handed_over_at_the_end_of_its_copys_grace_time_also_to_the_next_start() {
    let copies = Copies::new();
    let (first, port) = copies.start("off");
    let id = copies.ask_and_wait(port, RUN, &json!({}));
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
    let id = copies.ask_and_wait(port, RUN, &json!({}));
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
    copies.until("select true from migration_service.run where state = 'running'");
    let id = copies.place.value("select id::text from migration_service.run where state = 'running'").expect("a run");
    let cancel = client().post(format!("http://127.0.0.1:{port}/api/migrations/runs/{id}/cancel"));
    assert_eq!(cancel.send().expect("an answer").status(), 202);
    let (status, _, said) = terminal.end();
    assert_eq!(status.code(), Some(130), "{said}");
    assert_eq!(run_at(port, &id)["status"], json!("cancelled"));
    assert_eq!(serving.interrupt().0.code(), Some(0));
}

/// Two steps were asked for: one was done by the first copy, one is done by the second, and the third migration stays.
#[test]
fn another_copy_goes_on_with_what_is_left_of_a_rollback() {
    let copies = Copies::new().applied();
    let ((first, port), (second, other)) = (copies.start("20s"), copies.start("20s"));
    let id = copies.ask_and_wait(port, ROLLBACK, &json!({ "steps": 2 }));
    copies.open_the_way_back();
    kill(first);
    let (_, new) = copies.continued(other, &id);
    assert_eq!((&new["kind"], &new["done"]), (&json!("rollback"), &json!(["alpha/2"])), "{new}");
    let old = copies.told(other, &id);
    assert_eq!((&old["done"], &old["migrationsRolledBack"]), (&json!(["alpha/3"]), &json!(1)), "{old}");
    let stands = "select string_agg(name, ' ' order by id) from migration_service.history where rolled_back_at is null";
    assert_eq!(copies.place.value(stands).as_deref(), Some("gate"), "two steps, and not three");
    assert_eq!(copies.place.value(&format!("select count(*) from ({SLEEPS}) s")).as_deref(), Some("0"));
    assert_eq!(second.interrupt().0.code(), Some(0));
}

/// What is left of a rollback is rows of the history, and no number of steps.
#[test]
fn what_was_applied_again_since_is_not_taken_back() {
    let copies = Copies::new().applied();
    let (first, port) = copies.start("20s");
    let id = copies.ask_and_wait(port, ROLLBACK, &json!({ "steps": 2 }));
    kill(first);
    // Before anybody goes on with it, somebody has rolled back by hand and thought better of it.
    copies.end_sleepers();
    copies.open_the_way_back();
    copies.open_the_gate();
    let profe = |arguments: &[&str]| crate::support::run(&mut copies.place.profe(), arguments).ok(0);
    profe(&["migrate", "rollback", "--steps", "1"]);
    profe(&["migrate", "run"]);
    let (second, other) = copies.start("20s");
    let old = copies.told(other, &id);
    assert_eq!(old["done"], json!(["alpha/3"]), "{old}");
    copies.until(&format!(
        "select continued_by is null and run_order is null from migration_service.run where id = '{id}'"
    ));
    let stands = "select string_agg(name, ' ' order by id) from migration_service.history where rolled_back_at is null";
    assert_eq!(copies.place.value(stands).as_deref(), Some("gate wait more"));
    assert_eq!(second.interrupt().0.code(), Some(0));
}

#[test]
fn another_copy_runs_the_seeds_again_of_one_that_was_killed() {
    let copies = Copies::with_seeds().applied();
    let ((first, port), (second, other)) = (copies.start("20s"), copies.start("20s"));
    let id = copies.ask_and_wait(port, "/api/seeds/run", &json!({ "wait": false }));
    copies.open_the_gate();
    kill(first);
    let (old, new) = copies.continued(other, &id);
    assert_eq!((&old["status"], &new["kind"]), (&json!("interrupted"), &json!("seed")));
    let rows = "select (select count(*) from alpha.t) || ' ' || (select count(*) from alpha.u)";
    assert_eq!(copies.place.value(rows).as_deref(), Some("1 1"), "each seed once");
    let old = copies.told(other, &id);
    assert!(text(&old, "message").contains("each of its files is done or not begun"), "{old}");
    assert_eq!(second.interrupt().0.code(), Some(0));
}

/// A reset would empty what was filled since, a dry run leaves nothing, and whoever sits at a terminal has seen it end.
#[test]
fn what_nobody_goes_on_with_says_what_was_done_and_what_to_do() {
    let copies = Copies::with_seeds();
    let (serving, other) = copies.start("20s");
    let terminal = Running::start(&mut copies.place.profe(), &["migrate", "run"]);
    copies.until(SLEEPS);
    copies.until("select true from migration_service.run where state = 'running'");
    let id = copies.place.value("select id::text from migration_service.run where state = 'running'").expect("a run");
    kill(terminal);
    copies.end_sleepers();
    let run = copies.told(other, &id);
    assert_eq!((&run["done"], &run["continuedBy"]), (&json!(["alpha/1"]), &Value::Null), "{run}");
    assert!(text(&run, "message").contains("1 of its migrations is done, and one that was in the middle"), "{run}");
    assert_eq!(text(&run, "cure"), "run again: it goes on where this one ended");

    let (dry, port) = copies.start("20s");
    let id = copies.ask_and_wait(port, RUN, &json!({ "dryRun": true }));
    kill(dry);
    copies.end_sleepers();
    let run = copies.told(other, &id);
    assert!(text(&run, "message").ends_with("nothing of a dry run stays"), "{run}");

    copies.open_the_gate();
    post_and_wait(other, RUN, json!({}));
    copies.place.value("delete from alpha.gate; insert into alpha.u values (7)");
    let (resetting, port) = copies.start("20s");
    let id = copies.ask_and_wait(port, "/api/seeds/reset", &json!({ "wait": false }));
    kill(resetting);
    copies.end_sleepers();
    let run = copies.told(other, &id);
    assert_eq!((&run["kind"], &run["continuedBy"]), (&json!("seed_reset"), &Value::Null), "{run}");
    assert_eq!(text(&run, "cure"), "reset again: tables may be empty, or have a part of their seeds");
    let runs = get(other, "/api/migrations/runs?status=running");
    assert_eq!(runs["total"], json!(0), "every run is accounted for: {runs}");
    assert_eq!(serving.interrupt().0.code(), Some(0));
}

/// The databases of one request come one after the other also where another copy goes on with them.
#[test]
fn what_comes_after_another_run_waits_until_that_has_ended() {
    let copies = Copies::new();
    let beta = block_on(testkit::server().empty_database());
    let catalogue = copies.place.project.read("config/services.toml");
    let own = format!(
        "{catalogue}\n[environments.development.databases.beta]\nservices = [\"beta-service\"]\nurl_variable = \"BETA_URL\"\n"
    );
    copies.place.project.write("config/services.toml", &own);
    copies.place.project.migration("beta/9_last", "create table beta.t (id int);", "drop table beta.t;");
    let waits = "do $$ begin while not exists (select from alpha.gate) loop perform pg_sleep(0.05); end loop; end $$;";
    copies.place.project.migration("alpha/2_wait", waits, "select 1;");
    let start = || {
        let port = crate::support::free_port();
        let mut command = copies.place.profe();
        command.env("MIGRATION_SERVICE_PORT", port.to_string()).env("BETA_URL", beta.url());
        let mut serving = Running::start(&mut command, &["serve", "--only", "migration-service", "--output", "json"]);
        serving.wait_for("\"ready\":true");
        (serving, port)
    };
    let ((first, port), (second, _)) = (start(), start());
    let id = copies.ask_and_wait(port, RUN, &json!({}));
    kill(first);
    // The first of both is being gone on with, and waits at the gate.
    let after = format!(
        "select true from migration_service.run o join migration_service.run n on n.id = o.continued_by \
         where o.id = '{id}' and n.state = 'running'"
    );
    copies.until(&after);
    copies.until(
        "select true from migration_service.run where environment = 'development/beta' and taken_at is not null",
    );
    assert_eq!(block_on(beta.value("select to_regclass('beta.t')::text")), None, "its turn has not come");
    copies.open_the_gate();
    crate::support::until(&beta, "select to_regclass('beta.t') is not null");
    assert_eq!(second.interrupt().0.code(), Some(0));
}
