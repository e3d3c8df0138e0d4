//! A server that has no connection left: before a run, in the middle of a fleet, and for the master database.

use testkit::faults::OwnServer;

use super::world::Fleet;
use crate::support::{Workplace, run, until};

/// A run takes two sessions of a database; those that replicate count, too, where they may be.
const FEW: &[(&str, &str)] = &[("max_connections", "12"), ("max_wal_senders", "0")];
/// Opens the gate, in whatever database somebody holds this.
const OPEN: &str = "select pg_advisory_lock(4711)";

#[test]
fn in_the_middle_of_a_fleet_those_in_hand_end_and_the_others_are_told_why_they_wait() {
    let fleet = Fleet::on(OwnServer::start(FEW), 6);
    let gate = "do $$ begin while not exists (select from pg_locks where locktype = 'advisory' and objid = 4711) loop \
                perform pg_sleep(0.02); end loop; end $$;";
    let up = format!("{gate}\ncreate table beta.u (id int);");
    fleet.work.project.migration("beta/3_create_u", &up, "drop table beta.u;");
    let key = fleet.server.hold_open("postgres", "select 1");
    // Six at once need more sessions than there are.
    let paces = ["--canary", "6", "--per-server", "6"];
    let running = fleet.start(&[&["fleet", "run", "tenants"], paces.as_slice()].concat());
    let one_failed = "select count(*) > 0 from migration_service.fleet_target where state = 'failed'";
    until(&fleet.work.database, "select to_regclass('migration_service.fleet_target') is not null");
    until(&fleet.work.database, one_failed);
    key.run(OPEN);
    let (status, out, said) = running.end();
    assert_eq!(status.code(), Some(1), "{out:#?} {said}");
    let out = out.join("\n");
    assert!(out.contains(" applied, ") && out.contains(" failed"), "those in hand had theirs: {out}");
    assert!(out.contains("too many clients") && out.contains("raise max_connections"), "{out}");
    fleet.assert_failures_are_told();
    fleet.finish();
    drop(key);
    fleet.assert_whole();
}

#[test]
fn a_full_target_is_told_of_with_the_cure_and_a_full_master_stops_no_run() {
    let place = Workplace::new();
    place.project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    let server = OwnServer::start(FEW);
    server.value("create database escuela");
    let full = server.url("escuela");
    let migrate = |target: &str, master: &str| {
        run(place.profe_at(target).env("MIGRATION_SERVICE_MASTER_DB_URL", master), &["migrate", "run"])
    };
    let crowd = server.take_all_sessions();
    let said = migrate(&full, &place.database.url()).err(6);
    assert!(said.contains("too many clients") && said.contains("raise max_connections"), "{said}");
    assert_eq!(place.value("select to_regclass('alpha.t')::text"), None);
    // One run needs its target alone; what it did is in the history there.
    let said = migrate(&place.database.url(), &full).err(0);
    assert!(said.contains("not recorded in the master database") && said.contains("too many clients"), "{said}");
    drop(crowd);
    migrate(&full, &place.database.url()).ok(0);
}
