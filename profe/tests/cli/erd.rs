//! `profe db erd`

use testkit::{block_on, server};

use crate::support::{Workplace, open_folder, profe, run};

#[test]
fn documents_are_written_and_found_stale() {
    let place = Workplace::new();
    let (folder, project) = (&place.folder, &place.project);
    let sql = "create table alpha.t (id int primary key);\ncomment on table alpha.t is 'Things';";
    project.migration("alpha/1_create_t", sql, "drop table alpha.t;");
    let profe = || place.profe();
    let said = run(&mut profe(), &["db", "erd", "--check"]).err(1);
    assert!(said.contains("ERD_DATABASE_DESIGN.md") && said.contains("run `profe db erd`"), "{said}");
    run(&mut profe(), &["db", "erd"]).ok(0);
    let design = std::fs::read_to_string(folder.path().join("ERD_DATABASE_DESIGN.md")).expect("it was written");
    assert!(design.contains("### alpha.t\n\nThings\n") && !design.contains("migration_service"), "{design}");
    assert!(folder.path().join("docs/erd/test.svg").is_file());
    run(&mut profe(), &["db", "erd", "--check"]).ok(0);

    project.migration(
        "alpha/2_widen",
        "alter table alpha.t alter id type bigint;",
        "alter table alpha.t alter id type int;",
    );
    run(&mut profe(), &["db", "erd", "--check"]).err(1);
    assert_eq!(
        run(&mut profe(), &["db", "scratch", "--list"]).ok(0).matches("scratch_erd_test_").count(),
        0,
        "none is left"
    );
    let state = run(&mut profe(), &["migrate", "status"]).ok(0);
    assert!(state.contains("2 migrations pending"), "the target itself was not touched: {state}");

    run(&mut profe(), &["migrate", "run"]).ok(0);
    run(&mut profe(), &["db", "erd", "-e", "development"]).ok(0);
    run(&mut profe(), &["db", "erd", "--check"]).ok(0);
}

#[test]
fn a_scratch_database_is_made_listed_and_dropped() {
    let folder = open_folder();
    let profe = || {
        let mut command = profe(folder.path());
        command.env("DATABASE_URL", server().url("postgres"));
        command
    };
    let url = run(&mut profe(), &["db", "scratch", "mine"]).ok(0);
    let name = url.trim().rsplit('/').next().and_then(|rest| rest.split('?').next()).expect("a database").to_owned();
    assert!(name.starts_with("scratch_mine_"), "{url}");
    let status = run(profe().env("DATABASE_URL", url.trim()), &["migrate", "status", "--exit-code"]).ok(0);
    assert!(status.contains("Up to date"), "{status}");
    assert!(run(&mut profe(), &["db", "scratch", "--list"]).ok(0).contains(&name));
    run(&mut profe(), &["db", "scratch", "--drop", &name]).ok(0);
    assert!(!run(&mut profe(), &["db", "scratch", "--list"]).ok(0).contains(&name));
    run(&mut profe(), &["db", "scratch", "--drop", "postgres"]).err(5);
}

/// PostgreSQL prints expressions a little differently from version to version; the committed files are of this one.
const WRITTEN_BY: &str = "15";

#[test]
fn the_committed_documents_are_fresh() {
    let folder = open_folder();
    let database = block_on(server().empty_database());
    let version = block_on(database.value("show server_version")).expect("a version");
    if !version.starts_with(WRITTEN_BY) {
        return;
    }
    let root =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_str().expect("text");
    let mut command = profe(folder.path());
    command.env("DATABASE_URL", server().url("postgres"));
    run(&mut command, &["db", "erd", "--check", "--folder", root]).ok(0);
}
