//! Another server takes the place of the one that a run works on.

use serde_json::Value;
use testkit::faults::{OwnServer, Proxy};

use super::world::patient;
use crate::support::{Running, Workplace, run};

/// A primary, its standby, and a project whose second migration lasts until somebody has opened the gate.
struct Pair {
    primary: OwnServer,
    standby: OwnServer,
    place: Workplace,
}

const STREAMED: &str = "select bool_and(replay_lsn >= pg_current_wal_lsn()) from pg_stat_replication";
const APPLIED: &str =
    "select string_agg(name, ' ' order by id) from migration_service.history where rolled_back_at is null";

impl Pair {
    fn new() -> Self {
        let primary = OwnServer::start(&[]);
        primary.value("create database escuela");
        let standby = primary.standby();
        let place = Workplace::new();
        place.project.migration("alpha/1_gate", "create table alpha.gate (open bool);", "drop table alpha.gate;");
        place.project.migration(
            "alpha/2_wait",
            "do $$ begin while not exists (select from alpha.gate) loop perform pg_sleep(0.02); end loop; end $$;\n\
             create table alpha.t (id int);",
            "drop table alpha.t;",
        );
        place.project.migration(
            "alpha/3_index",
            "create index concurrently t_id on alpha.t (id);",
            "drop index alpha.t_id;",
        );
        Self { primary, standby, place }
    }

    /// Runs with the target at `url`; what the service keeps is on the tests' common server.
    fn start(&self, url: &str) -> Running {
        let mut command = self.place.profe_at(url);
        command.env("MIGRATION_SERVICE_MASTER_DB_URL", self.place.database.url());
        Running::start(&mut command, &["migrate", "run"])
    }

    fn until_it_waits(&self) {
        let waits = "select count(*) > 0 from pg_stat_activity where wait_event = 'PgSleep' and datname = 'escuela'";
        self.primary.until(waits);
        self.primary.until(STREAMED);
    }

    /// What was acknowledged is there, what was in hand is not, and the next run finishes.
    fn assert_the_next_run_finishes(&self, url: &str) {
        assert_eq!(self.standby.value_in("escuela", APPLIED).as_deref(), Some("gate"), "the new primary's history");
        self.standby.value_in("escuela", "insert into alpha.gate values (true)");
        let (status, _, said) = self.start(url).end();
        assert_eq!(status.code(), Some(0), "{said}");
        assert_eq!(self.standby.value_in("escuela", APPLIED).as_deref(), Some("gate wait index"));
        let valid = "select indisvalid::text from pg_index where indexrelid = 'alpha.t_id'::regclass";
        assert_eq!(self.standby.value_in("escuela", valid).as_deref(), Some("true"));
        self.standby.until("select not exists (select from pg_locks where locktype = 'advisory')");
        let states = "select string_agg(state, ' ' order by id) from migration_service.run";
        assert_eq!(self.place.value(states).as_deref(), Some("failed completed"), "every run is accounted for");
    }
}

#[test]
fn a_run_whose_server_is_replaced_says_what_is_known_and_the_next_one_finishes_on_the_new_primary() {
    let mut pair = Pair::new();
    let line = Proxy::to(pair.primary.addr()).expect("a port");
    let url = line.url(&pair.primary.url("escuela"));
    let running = pair.start(&url);
    pair.until_it_waits();
    pair.primary.kill();
    line.retarget(pair.standby.addr());
    pair.standby.promote();
    let (status, _, said) = running.end();
    assert_eq!(status.code(), Some(6), "{said}");
    let known = "what was in hand is either whole or not there, and the next run knows which";
    assert!(said.contains("alpha/2") && said.contains(known), "{said}");
    pair.assert_the_next_run_finishes(&url);
}

/// Nobody closes the connections to the old primary: it has lost its power.
#[test]
fn a_server_that_was_replaced_without_a_word_is_not_waited_for() {
    let pair = Pair::new();
    let line = Proxy::to(pair.primary.addr()).expect("a port");
    let url = patient(&line.url(&pair.primary.url("escuela")));
    let running = pair.start(&url);
    pair.until_it_waits();
    line.retarget(pair.standby.addr());
    line.forget();
    pair.standby.promote();
    let (status, _, said) = running.end();
    assert_eq!(status.code(), Some(6), "{said}");
    assert!(said.contains("another server has taken its place"), "{said}");
    pair.assert_the_next_run_finishes(&url);
}

#[test]
fn of_several_hosts_the_one_that_takes_writes_is_used_also_after_a_failover() {
    let mut pair = Pair::new();
    let url = |wanted: &str| {
        let (base, _) =
            pair.primary.url("escuela").split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("a user");
        let hosts = format!("{},{}", pair.standby.addr(), pair.primary.addr());
        format!("{base}@{hosts}/escuela?sslmode=disable&target_session_attrs={wanted}")
    };
    let (writes, any) = (url("read-write"), url("any"));
    // The standby stands first and is passed over; without the attribute it is refused, with the cure.
    let refused = run(
        pair.place.profe_at(&any).env("MIGRATION_SERVICE_MASTER_DB_URL", pair.place.database.url()),
        &["migrate", "run"],
    );
    assert!(
        refused.err.contains("is a standby") && refused.err.contains("target_session_attrs=read-write"),
        "{refused:?}"
    );
    assert_ne!(refused.code, 0);
    let running = pair.start(&writes);
    pair.until_it_waits();
    pair.primary.kill();
    pair.standby.promote();
    let (status, _, said) = running.end();
    assert_eq!(status.code(), Some(6), "{said}");
    pair.assert_the_next_run_finishes(&writes);
    let status = run(
        pair.place.profe_at(&writes).env("MIGRATION_SERVICE_MASTER_DB_URL", pair.place.database.url()),
        &["migrate", "status", "--output", "json"],
    );
    assert!(serde_json::from_str::<Value>(&status.ok(0)).is_ok());
}
