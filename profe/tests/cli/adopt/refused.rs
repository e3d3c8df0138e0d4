//! What cannot be taken over as it is: refused with the sentence that names the cure, and nothing is changed.

use testkit::{block_on, moments, seed, server};

use super::{FIRST, FIRST_BACK, Legacy, SECOND, SECOND_BACK};
use crate::support::Running;

fn golang(version: u32, dirty: bool) -> Legacy {
    let legacy = Legacy::new("golang-migrate");
    legacy
        .file("1_create_plan.up.sql", FIRST)
        .file("1_create_plan.down.sql", FIRST_BACK)
        .file("2_add_week.up.sql", SECOND)
        .file("2_add_week.down.sql", SECOND_BACK)
        .sql(FIRST)
        .sql(SECOND)
        .sql("create table schema_migrations (version bigint not null primary key, dirty boolean not null)")
        .sql(&format!("insert into schema_migrations values ({version}, {dirty})"));
    legacy
}

#[track_caller]
fn says(legacy: &Legacy, arguments: &[&str], code: i32, parts: &[&str]) {
    let said = legacy.adopt(arguments).err(code);
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
    legacy.is_untouched();
}

#[test]
fn a_dirty_history() {
    says(&golang(2, true), &[], 5, &["error[not_adoptable]", "2 failed here and is half applied", "migrate force"]);
}

#[test]
fn a_schema_that_the_files_do_not_make() {
    let legacy = golang(2, false);
    legacy.sql("alter table plan add column by_hand text; drop index plan_week; grant select on plan to pg_monitor");
    says(
        &legacy,
        &[],
        5,
        &[
            "error[schema_differs]",
            "3 differences",
            "files → live: column public.plan.by_hand: added",
            "plan_week: missing",
            "pg_monitor",
            "have that applied, then adopt again",
        ],
    );
    says(&legacy, &["--dry-run"], 5, &["3 differences"]);
}

#[test]
fn a_folder_that_stands_on_what_it_does_not_make() {
    let legacy = golang(2, false);
    legacy.file(
        "2_add_week.up.sql",
        &format!("{SECOND}alter table plan add foreign key (id) references elsewhere (id);\n"),
    );
    let parts = ["cannot be applied to an empty database", "2_add_week.up.sql:3", "is adopted first"];
    says(&legacy, &[], 5, &parts);
}

#[test]
fn a_file_that_is_gone_and_one_that_is_another_now() {
    says(&golang(3, false), &[], 5, &["has applied 3 here, and the folder has no file of it", "put the file back"]);
    let legacy = Legacy::new("sqlx");
    legacy.file("1_create_plan.sql", FIRST).sql(FIRST).sql(
        "create table _sqlx_migrations (version bigint primary key, description text not null,
             installed_on timestamptz not null default now(), success boolean not null, checksum bytea not null,
             execution_time bigint not null);
         insert into _sqlx_migrations values (1, 'create plan', now(), true, sha384('another'), 1)",
    );
    says(&legacy, &[], 5, &["1_create_plan.sql is not what sqlx applied here", "restore the file"]);
    legacy.sql("update _sqlx_migrations set success = false");
    says(&legacy, &[], 5, &["1 failed here and is half applied", "_sqlx_migrations"]);
}

#[test]
fn another_tool_and_another_folder() {
    let legacy = golang(2, false);
    let other = |from: &str, path: &str, code: i32, part: &str| {
        let said =
            legacy.profe(&["migrate", "adopt", "--from", from, "--path", path, "--service", "plans-service"]).err(code);
        assert!(said.contains(part), "{said}");
        legacy.is_untouched();
    };
    other("liquibase", "legacy/migrations", 2, "golang-migrate, sqlx, dbmate, goose, flyway");
    other("golang-migrate", "legacy", 5, "holds no migration of golang-migrate");
    other("golang-migrate", "nowhere", 1, "the project has no folder nowhere/");
    other("flyway", "legacy/migrations", 1, "is not named as a migration");
    other("dbmate", "legacy/migrations", 1, "both claim version 1");
    legacy.work.project.write("mate/1_a.sql", "-- migrate:up\nselect 1;\n");
    other("dbmate", "mate", 5, "it looks like golang-migrate's");
    other("goose", "mate", 5, "this database has no goose_db_version");
    let unknown = legacy.profe(&["migrate", "adopt", "--service", "nobody"]).err(2);
    assert!(unknown.contains("unknown_service"), "{unknown}");
    let unnamed = legacy.profe(&["migrate", "adopt", "--service", "plans-service"]).err(5);
    assert!(unnamed.contains("[services.plans-service.migrations]"), "{unnamed}");
    legacy.sql("create schema elsewhere; alter table schema_migrations set schema elsewhere");
    let elsewhere = legacy.adopt(&[]).err(5);
    assert!(elsewhere.contains("--history-table elsewhere.schema_migrations"), "{elsewhere}");
    legacy.adopt(&["--history-table", "elsewhere.schema_migrations"]).ok(0);
}

#[test]
fn objects_that_the_service_has_no_place_for() {
    let legacy = golang(2, false);
    legacy.file(
        "2_add_week.up.sql",
        &format!("{SECOND}create schema billing;\ncreate table billing.invoice (id int);\n"),
    );
    says(
        &legacy,
        &[],
        5,
        &["billing.invoice (legacy/migrations/2_add_week.up.sql)", "add \"billing\" to the schemas of plans-service"],
    );
    legacy.sql("create schema billing; create table billing.invoice (id int)");
    legacy.catalogue("schemas = [\"public\"]", "schemas = [\"public\", \"billing\"]");
    legacy.adopt(&[]).ok(0);
    legacy.profe(&["db", "diff"]).ok(0);
}

#[test]
fn a_run_of_a_folder_that_nobody_has_adopted() {
    let legacy = golang(2, false);
    legacy.work.project.write(
        "config/services.toml",
        &format!(
            "{}\n[services.plans-service.migrations]\npath = \"legacy/migrations\"\nlayout = \"golang-migrate\"\n",
            legacy.work.project.read("config/services.toml")
        ),
    );
    let said = legacy.profe(&["migrate", "run"]).err(5);
    assert!(
        said.contains("nobody has adopted that") && said.contains("migrate adopt --service plans-service"),
        "{said}"
    );
    assert_eq!(legacy.value("select to_regnamespace('migration_service') is null"), "t");
    // On a database that the tool has never seen, it is run from its beginning.
    let fresh = block_on(server().empty_database());
    crate::support::run(&mut legacy.work.profe_at(&fresh.url()), &["migrate", "run"]).ok(0);
    assert_eq!(block_on(fresh.value("select count(*) from migration_service.history")).as_deref(), Some("2"));
}

/// What a killed one left on the server is dropped by the next one, without a copy that serves.
#[test]
fn a_throwaway_database_that_was_left_is_swept_by_the_next_adoption() {
    let legacy = golang(2, false);
    // A name as they have, and no other test's.
    let last = legacy.work.database.name().bytes().rev().take(6);
    let own = last.fold(String::new(), |name, byte| format!("{name}{byte:02x}"));
    let left = format!("scratch_rehearsal_{own}");
    legacy.sql(&format!("create database {left}"));
    legacy.adopt(&["--dry-run"]).ok(0);
    assert_eq!(legacy.value(&format!("select count(*) from pg_database where datname = '{left}'")), "0");
}

/// Killed at any moment, all of it is there or nothing, and whoever does it again comes to the same end.
#[test]
fn a_kill_leaves_all_or_nothing() {
    let seed = seed();
    for moment in moments(seed, 6, std::time::Duration::from_millis(900)) {
        let legacy = golang(2, false);
        let mut command = legacy.work.profe();
        let arguments = [
            "migrate",
            "adopt",
            "--from",
            "golang-migrate",
            "--path",
            "legacy/migrations",
            "--service",
            "plans-service",
        ];
        let running = Running::start(&mut command, &arguments);
        std::thread::sleep(moment);
        running.signal(rustix::process::Signal::KILL);
        running.end();
        let adopted = "select case when to_regclass('migration_service.history') is null then '0' else
            (xpath('//c/text()', query_to_xml('select count(*) as c from migration_service.history', false, true, '')))[1]::text end";
        let count = legacy.value(adopted);
        assert!(count == "0" || count == "2", "seed {seed}, after {moment:?}: {count}");
        legacy.adopt(&["--wait", "1m"]).ok(0);
        assert_eq!(legacy.value("select count(*) from migration_service.history"), "2", "seed {seed}, {moment:?}");
        legacy.profe(&["db", "diff"]).ok(0);
        legacy.profe(&["migrate", "status", "--exit-code"]).ok(0);
    }
}
