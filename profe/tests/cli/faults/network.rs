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
        Self::starting(&[], patient)
    }

    /// With these variables, and with what `master` makes of the master database's address.
    fn starting(variables: &[(&str, &str)], master_at: impl Fn(&str) -> String) -> Self {
        Self::of(with_a_gate(), variables, master_at)
    }

    fn of(place: Workplace, variables: &[(&str, &str)], master_at: impl Fn(&str) -> String) -> Self {
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
        command.env("MIGRATION_SERVICE_MASTER_DB_URL", master_at(&line.url(&master.url())));
        command.envs(variables.iter().copied());
        let mut copy = Running::start(&mut command, &["serve", "--only", "migration-service", "--output", "json"]);
        copy.wait_for("\"ready\":true");
        Self { place, master, copy, port, line }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Asks for a run, and waits until it is in the middle; answers its id.
    fn ask(&self) -> String {
        let answer = client().post(self.url("/api/migrations/run")).json(&json!({})).send().expect("an answer");
        assert_eq!(answer.status(), 202);
        let answer: Value = answer.json().expect("JSON");
        until(&self.place.database, SLEEPS);
        answer["migrationId"].as_str().expect("an id").to_owned()
    }

    /// Breaks the line to the master database in the middle of a run, lets the run end, mends the line: the run is accounted for.
    fn survives(self, breaks: impl Fn(&Proxy)) {
        let url = |path: &str| self.url(path);
        let id = self.ask();
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

/// What came of the last database is known when nobody can write it down: whoever serves does so later, and does not begin again.
#[test]
fn a_fleets_run_that_ends_without_its_master_database_is_written_down_when_that_is_back() {
    let (place, tenant) = (with_a_gate(), block_on(server().empty_database()));
    let catalogue = place.project.read("config/services.toml");
    let fleet = "[fleets.tenants]\nservice = \"beta-service\"\nenvironment = \"development\"";
    place.project.write("config/services.toml", &format!("{catalogue}\n{fleet}\ndatabases = [{:?}]\n", tenant.name()));
    let wait = "do $$ begin while not exists (select from pg_class where relname = 'open') loop perform pg_sleep(0.02); end loop; end $$;";
    place.project.migration("beta/1_wait", wait, "select 1;");
    let mut serving = Serving::of(place, &[], patient);
    let asked = client().post(serving.url("/api/fleets/tenants/run")).json(&json!({})).send().expect("an answer");
    assert_eq!(asked.status(), 202);
    until(&tenant, SLEEPS);
    serving.line.cut();
    block_on(tenant.value("create table public.open ()"));
    serving.copy.wait_for_error("is not written down yet");
    serving.line.heal();
    let done = "select r.state = 'completed' and r.holder is null and t.state = 'applied' and t.migrations = 1 \
                from migration_service.fleet_run r join migration_service.fleet_target t on t.run = r.id";
    until(&serving.master, done);
    let (status, _, said) = serving.copy.interrupt();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("taken up"), "{said}");
}

/// What it has in hand cannot be written down any more, so it does not wait for that: whoever serves next goes on with it.
#[test]
fn a_copy_that_is_told_to_end_does_not_wait_for_a_master_database_that_says_nothing() {
    let serving = Serving::starting(&[("MIGRATION_SERVICE_RUN_GRACE", "1s")], ToOwned::to_owned);
    let id = serving.ask();
    serving.line.stall();
    let (status, _, said) = serving.copy.interrupt();
    assert_eq!(status.code(), Some(0), "{said}");

    serving.place.value("insert into alpha.gate values (true)");
    let mut command = serving.place.profe();
    command.env("MIGRATION_SERVICE_PORT", free_port().to_string());
    command.env("MIGRATION_SERVICE_MASTER_DB_URL", serving.master.url());
    let _next = Running::start(&mut command, &["serve", "--only", "migration-service", "--output", "json"]);
    until(
        &serving.master,
        &format!(
            "select true from migration_service.run o join migration_service.run n on n.id = o.continued_by \
             where o.id = '{id}' and o.state = 'interrupted' and n.state = 'completed'"
        ),
    );
    let applied = "select string_agg(name, ' ' order by id) from migration_service.history";
    assert_eq!(serving.place.value(applied).as_deref(), Some("gate wait"));
}

/// The fleet's rows cannot be written for a while; the claim lasts longer than that.
#[test]
fn a_fleet_goes_on_while_its_master_database_is_away_for_a_moment() {
    let mut fleet = Fleet::on(OwnServer::start(&[]), DATABASES);
    let line = Proxy::to_url(&fleet.work.database.url()).expect("a port");
    fleet.master_through(&line);
    // All but the first database wait until somebody holds a lock: one for those in hand first, one for the last two.
    let gate = "do $$ begin while current_database() <> 'tenant_0' and not exists (select from pg_locks \
                where locktype = 'advisory' \
                and objid = case when current_database() < 'tenant_4' then 4711 else 4712 end) loop perform pg_sleep(0.02); end loop; end $$;";
    let up = format!("{gate}\ncreate table beta.u (id int);");
    fleet.work.project.migration("beta/3_create_u", &up, "drop table beta.u;");
    let running = fleet.start(&["fleet", "run", "tenants"]);
    fleet.server.until("select count(*) > 1 from pg_stat_activity where wait_event = 'PgSleep'");
    line.cut();
    let key = fleet.server.hold_open("postgres", "select pg_advisory_lock(4711)");
    let all = |n: usize| fleet.server.value_in(&format!("tenant_{n}"), "select to_regclass('beta.u')").is_some();
    becomes("those in hand are done", || (0..4).all(all));
    line.heal();
    let other_key = fleet.server.hold_open("postgres", "select pg_advisory_lock(4712)");
    let (status, _, said) = running.end();
    assert_eq!(status.code(), Some(0), "{said}");
    drop((key, other_key));
    fleet.assert_whole();
}
