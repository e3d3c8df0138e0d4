//! PostgreSQL killed under a running fleet: one backend, all of it, at random moments.

use std::time::{Duration, Instant};

use testkit::faults::OwnServer;
use testkit::{moments, seed};

use super::world::{Fleet, until};

const DATABASES: usize = 6;
const KILLS: u32 = 4;

/// Brings the fleet forward and back, breaks something each time at a random moment, and goes on.
fn survives(settings: &[(&str, &str)], mut breaks: impl FnMut(&mut OwnServer)) {
    let mut fleet = Fleet::on(OwnServer::start(settings), DATABASES);
    let begun = Instant::now();
    fleet.run(&["fleet", "run", "tenants"]).ok(0);
    let whole = begun.elapsed();
    let seed = seed();
    for after in moments(seed, KILLS, whole) {
        let next = fleet.next();
        let running = fleet.start(&next.iter().map(String::as_str).collect::<Vec<_>>());
        // The moment is what is tested.
        std::thread::sleep(after);
        breaks(&mut fleet.server);
        let (status, out, said) = running.end();
        // The server may have been gone before the run began, or the run over before the server was gone.
        assert!([0, 1, 6].contains(&status.code().unwrap_or(-1)), "seed {seed}, {after:?}: {status} {out:#?} {said}");
        assert!(!said.contains("panicked"), "seed {seed}, {after:?}: {said}");
        fleet.assert_failures_are_told();
    }
    fleet.finish();
    fleet.assert_whole();
}

/// A process of the server that works for the fleet, if there is one at this moment.
fn somebody_at_work(server: &OwnServer) -> Option<i32> {
    let ours = "select min(pid) from pg_stat_activity where application_name like 'profe%' and datname like 'tenant_%' \
                and (state <> 'idle' or wait_event is distinct from 'ClientRead')";
    server.value(ours).and_then(|pid| pid.parse().ok())
}

#[test]
fn a_backend_that_is_killed_takes_all_others_along_and_the_fleet_goes_on() {
    survives(&[], |server| {
        let Some(pid) = somebody_at_work(server) else { return };
        let started = "select pg_postmaster_start_time()";
        let before = server.value(started);
        server.kill_backend(pid);
        // The server recovers by itself; until it has, it takes no sessions.
        until("the server has recovered", || server.takes_sessions());
        assert_eq!(server.value(started), before, "the server itself was not killed");
    });
}

#[test]
fn sessions_that_an_administrator_ends_cost_a_turn_and_nothing_more() {
    survives(&[], |server| {
        server.value(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity \
             where application_name like 'profe%' and datname like 'tenant_%'",
        );
    });
}

#[test]
fn a_server_that_is_stopped_at_once_is_gone_on_with_when_it_is_back() {
    survives(&[], |server| {
        server.stop_at_once();
        server.start_again();
    });
}

#[test]
fn a_server_that_is_killed_is_gone_on_with_when_it_is_back() {
    survives(&[], |server| {
        server.kill();
        server.start_again();
    });
}

/// Whoever comes while it is away is told so, in time.
#[test]
fn a_server_that_stays_away_is_told_of_and_costs_no_other_run() {
    let mut fleet = Fleet::on(OwnServer::start(&[]), 2);
    fleet.server.stop_at_once();
    let begun = Instant::now();
    fleet.run(&["fleet", "run", "tenants"]).ok(1);
    assert!(begun.elapsed() < Duration::from_secs(30));
    fleet.assert_failures_are_told();
    fleet.server.start_again();
    fleet.finish();
    fleet.assert_whole();
}
