//! The network between the service, its targets and its master database: cut, delayed, half open, in the middle of a run.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::faults::{OwnServer, Proxy};
use testkit::{TestDb, block_on, moments, seed, server};

use super::world::{Fleet, PATIENCE, patient, until as becomes};
use crate::support::{Running, Workplace, client, free_port, run, until};

const DATABASES: usize = 6;
const TIMES: u32 = 4;
/// What a loaded machine may add to what is bounded.
const SLACK: Duration = Duration::from_secs(30);

fn fleet_on_a_line() -> (Fleet, Proxy) {
    let server = OwnServer::start(&[]);
    let line = Proxy::to(server.addr()).expect("a port");
    let mut fleet = Fleet::on(server, DATABASES);
    fleet.through(&line);
    (fleet, line)
}

/// Breaks the line at random moments of runs, and mends it when the command has ended.
fn survives(breaks: impl Fn(&Proxy)) {
    let (fleet, line) = fleet_on_a_line();
    let begun = Instant::now();
    fleet.run(&["fleet", "run", "tenants"]).ok(0);
    let whole = begun.elapsed();
    let seed = seed();
    for after in moments(seed, TIMES, whole) {
        let next = fleet.next();
        let running = fleet.start(&next.iter().map(String::as_str).collect::<Vec<_>>());
        // The moment is what is tested.
        std::thread::sleep(after);
        breaks(&line);
        let broken = Instant::now();
        let (status, out, said) = running.end();
        assert!([0, 1, 6].contains(&status.code().unwrap_or(-1)), "seed {seed}, {after:?}: {status} {out:#?} {said}");
        assert!(!said.contains("panicked"), "seed {seed}, {after:?}: {said}");
        // Each database of the wave may be tried, and each waits as long as it may: three at once.
        let most = PATIENCE * (DATABASES as u32).div_ceil(3) * 3 + SLACK;
        assert!(broken.elapsed() < most, "seed {seed}: it took {:?} to notice", broken.elapsed());
        line.heal();
        fleet.assert_failures_are_told();
    }
    fleet.finish();
    fleet.assert_whole();
}

#[test]
fn a_fleet_goes_on_after_its_network_was_cut() {
    survives(Proxy::cut);
}

#[test]
fn a_fleet_notices_a_half_open_network_and_goes_on_after_it() {
    survives(Proxy::stall);
}

#[test]
fn a_fleet_comes_to_its_end_over_a_network_that_is_slow() {
    let (fleet, line) = fleet_on_a_line();
    line.delay(Duration::from_millis(15));
    fleet.run(&["fleet", "run", "tenants"]).ok(0);
    fleet.assert_whole();
}

/// One target whose second migration lasts until somebody has opened the gate.
fn with_a_gate() -> Workplace {
    let place = Workplace::new();
    place.project.migration("alpha/1_gate", "create table alpha.gate (open bool);", "drop table alpha.gate;");
    place.project.migration(
        "alpha/2_wait",
        "select pg_sleep(case when exists (select from alpha.gate) then 0 else 600 end);\ncreate table alpha.t (id int);",
        "drop table alpha.t;",
    );
    place
}

const SLEEPS: &str =
    "select true from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep' limit 1";

/// The next run ends what the server still works at for the lost one, and finishes.
fn assert_the_next_run_finishes(place: &Workplace) {
    place.value("insert into alpha.gate values (true)");
    run(&mut place.profe(), &["migrate", "run"]).ok(0);
    let applied =
        "select string_agg(name, ' ' order by id) from migration_service.history where rolled_back_at is null";
    assert_eq!(place.value(applied).as_deref(), Some("gate wait"));
    assert_eq!(place.value("select count(*) from migration_service.failure").as_deref(), Some("0"));
    let left = "select not exists (select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() \
                and application_name like 'profe%') \
                and not exists (select from pg_locks l join pg_database d on d.oid = l.database \
                where l.locktype = 'advisory' and d.datname = current_database())";
    until(&place.database, left);
}

#[test]
fn a_statement_whose_line_is_half_open_is_given_up_in_time_and_the_next_run_finishes_it() {
    let place = with_a_gate();
    let url = place.database.url();
    let line = Proxy::to_url(&url).expect("a port");
    let mut command = place.profe_at(&patient(&line.url(&url)));
    command.env("MIGRATION_SERVICE_MASTER_DB_URL", &url);
    let running = Running::start(&mut command, &["migrate", "run"]);
    until(&place.database, SLEEPS);
    line.stall();
    let stalled = Instant::now();
    let (status, _, said) = running.end();
    assert!(stalled.elapsed() < PATIENCE * 2 + SLACK, "{:?}", stalled.elapsed());
    assert_eq!(status.code(), Some(6), "{said}");
    assert!(said.contains("gave no sign of life for") && said.contains("run again"), "{said}");
    line.heal();
    assert_the_next_run_finishes(&place);
}

#[test]
fn a_statement_whose_line_is_cut_is_given_up_at_once_and_the_next_run_finishes_it() {
    let place = with_a_gate();
    let url = place.database.url();
    let line = Proxy::to_url(&url).expect("a port");
    let mut command = place.profe_at(&line.url(&url));
    command.env("MIGRATION_SERVICE_MASTER_DB_URL", &url);
    let running = Running::start(&mut command, &["migrate", "run"]);
    until(&place.database, SLEEPS);
    line.cut();
    let (status, _, said) = running.end();
    assert_eq!(status.code(), Some(6), "{said}");
    assert!(said.contains("was lost") && said.contains("is either whole or not there"), "{said}");
    // The line stays cut for this one, and the next run goes another way.
    assert_the_next_run_finishes(&place);
}

/// A copy that serves, with its master database behind a line.
struct Serving {
    place: Workplace,
    /// Holds the master database.
    master: TestDb,
    copy: Running,
    port: u16,
    line: Proxy,
}

impl Serving {
    fn new() -> Self {
        let place = with_a_gate();
        place.project.migration(
            "alpha/2_wait",
            "do $$ begin while not exists (select from alpha.gate) loop perform pg_sleep(0.02); end loop; end $$;",
            "select 1;",
        );
        let master = block_on(server().empty_database());
        let line = Proxy::to_url(&master.url()).expect("a port");
        let port = free_port();
        let mut command = place.profe();
        command.env("MIGRATION_SERVICE_PORT", port.to_string());
        command.env("MIGRATION_SERVICE_MASTER_DB_URL", patient(&line.url(&master.url())));
        let mut copy = Running::start(&mut command, &["serve", "--only", "migration-service", "--output", "json"]);
        copy.wait_for("\"ready\":true");
        Self { place, master, copy, port, line }
    }

    /// Breaks the line to the master database in the middle of a run, lets the run end, mends the line: the run is accounted for.
    fn survives(self, breaks: impl Fn(&Proxy)) {
        let url = |path: &str| format!("http://127.0.0.1:{}{path}", self.port);
        let answer = client().post(url("/api/migrations/run")).json(&json!({})).send().expect("an answer");
        assert_eq!(answer.status(), 202);
        let answer: Value = answer.json().expect("JSON");
        let id = answer["migrationId"].as_str().expect("an id");
        until(&self.place.database, SLEEPS);
        breaks(&self.line);
        let ready = || client().get(url("/ready")).send().expect("it listens").status();
        becomes("it says that it is not ready", || ready() == 503);
        self.place.value("insert into alpha.gate values (true)");
        until(&self.place.database, "select count(*) = 2 from migration_service.history");
        let refused = client().get(url("/api/migrations/runs")).send().expect("it listens");
        assert_eq!(refused.status(), 503);
        let refused: Value = refused.json().expect("JSON");
        assert!(refused["detail"].as_str().is_some_and(|text| !text.is_empty()), "{refused}");
        self.line.heal();
        until(
            &self.master,
            &format!("select state = 'completed' and report is not null from migration_service.run where id = '{id}'"),
        );
        becomes("it is ready again", || ready() == 200);
        assert_eq!(self.copy.interrupt().0.code(), Some(0));
    }
}

#[test]
fn a_run_outlives_the_line_to_the_master_database_and_is_written_down_when_that_is_mended() {
    Serving::new().survives(Proxy::cut);
}

#[test]
fn a_run_outlives_a_half_open_line_to_the_master_database() {
    Serving::new().survives(Proxy::stall);
}

/// The fleet's rows cannot be written for a while; the claim lasts longer than that.
#[test]
fn a_fleet_goes_on_while_its_master_database_is_away_for_a_moment() {
    let mut fleet = Fleet::on(OwnServer::start(&[]), DATABASES);
    let line = Proxy::to_url(&fleet.work.database.url()).expect("a port");
    fleet.master_through(&line);
    fleet.work.project.migration(
        "beta/3_create_u",
        "select pg_sleep(0.3);\ncreate table beta.u (id int);",
        "drop table beta.u;",
    );
    let running = fleet.start(&["fleet", "run", "tenants"]);
    fleet.server.until("select count(*) > 1 from pg_stat_activity where wait_event = 'PgSleep'");
    line.cut();
    fleet.server.until("select count(*) = 0 from pg_stat_activity where wait_event = 'PgSleep'");
    line.heal();
    let (status, _, said) = running.end();
    assert_eq!(status.code(), Some(0), "{said}");
    fleet.assert_whole();
}
