//! A lock that is never released, in one database of a fleet.

use testkit::faults::OwnServer;

use super::world::Fleet;

#[test]
fn one_database_whose_table_is_locked_for_ever_keeps_no_other_and_its_holder_is_named() {
    let fleet = Fleet::on(OwnServer::start(&[]), 4);
    fleet.run(&["fleet", "run", "tenants", "--to", "beta/1"]).ok(0);
    let holder = fleet.server.hold_open("tenant_2", "begin; lock table beta.t");
    let holds = "select pid from pg_locks where relation = 'beta.t'::regclass and mode = 'AccessExclusiveLock'";
    let pid = fleet.server.value_in("tenant_2", holds).expect("somebody holds it");
    let out = fleet.run(&["fleet", "run", "tenants"]).ok(1);
    assert!(out.contains("3 applied") && out.contains("1 failed"), "{out}");
    assert!(out.contains("tenant_2"), "{out}");
    fleet.assert_failures_are_told();
    let told = fleet.newest_failure();
    assert_eq!(told["blockers"][0]["pid"].to_string(), pid, "its holder is named: {told}");
    drop(holder);
    fleet.finish();
    fleet.assert_whole();
}
