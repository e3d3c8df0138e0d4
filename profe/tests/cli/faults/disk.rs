//! A server without room: for its tables, for its log of changes, in the middle of a fleet.

use testkit::faults::{Disk, Full, OwnServer};

use super::world::{Fleet, until};

/// More than a file of the log, of which there are 16 MB.
const LARGE: &str = "create table beta.large as select n, repeat('x', 1000) as text from generate_series(1, 20000) n;";

fn fleet_on(disk: &Disk) -> Fleet {
    // No file of the log is made before it is needed.
    Fleet::on(OwnServer::start_on(disk, &[("wal_recycle", "off"), ("min_wal_size", "32MB")]), 3)
}

#[test]
fn without_room_for_tables_a_fleet_says_so_and_is_gone_on_with_when_there_is_room() {
    let disk = Disk::new();
    let fleet = fleet_on(&disk);
    fleet.run(&["fleet", "run", "tenants"]).ok(0);
    fleet.work.project.migration("beta/4_large", LARGE, "drop table beta.large;");
    disk.fill(Full::Data);
    let said = fleet.run(&["fleet", "run", "tenants", "--failure-budget", "0"]).ok(1);
    assert!(said.contains("No space left on device"), "{said}");
    assert!(said.contains("free space on the database server's disk"), "{said}");
    fleet.assert_failures_are_told();
    for n in 0..3 {
        let made = fleet.server.value_in(&format!("tenant_{n}"), "select to_regclass('beta.large')::text");
        assert_eq!(made, None, "nothing is half applied");
    }
    disk.make_room();
    fleet.finish();
    fleet.run(&["fleet", "rollback", "tenants", "--steps", "1"]).ok(0);
    fleet.work.project.remove_migration("beta/4_large");
    fleet.run(&["fleet", "run", "tenants"]).ok(0);
    fleet.assert_whole();
}

#[test]
fn without_room_for_its_log_a_server_breaks_down_and_the_fleet_is_gone_on_with_when_it_is_back() {
    let disk = Disk::new();
    let mut fleet = fleet_on(&disk);
    fleet.run(&["fleet", "run", "tenants"]).ok(0);
    fleet.work.project.migration("beta/4_large", LARGE, "drop table beta.large;");
    disk.fill(Full::Wal);
    fleet.run(&["fleet", "run", "tenants"]).ok(1);
    fleet.assert_failures_are_told();
    disk.make_room();
    // It recovers by itself, unless it had given up doing so.
    until("the server is back", || {
        if !fleet.server.is_running() {
            fleet.server.has_ended();
            fleet.server.start_again();
        }
        fleet.server.takes_sessions()
    });
    fleet.finish();
    fleet.run(&["fleet", "rollback", "tenants", "--steps", "1"]).ok(0);
    fleet.work.project.remove_migration("beta/4_large");
    fleet.run(&["fleet", "run", "tenants"]).ok(0);
    fleet.assert_whole();
}
