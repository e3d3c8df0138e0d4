//! Sqitch itself makes the folder and migrates the database.

use std::process::Command;

use super::{FIRST, FIRST_BACK, Legacy, SECOND, SECOND_BACK, THIRD, THIRD_BACK};

/// Sqitch in the folder.
fn sqitch(legacy: &Legacy, arguments: &[&str]) {
    let mut command = Command::new("sqitch");
    command.env_clear().current_dir(legacy.folder()).args(arguments);
    for (name, value) in
        [("SQITCH_FULLNAME", "Directora"), ("SQITCH_EMAIL", "directora@escuela.example"), ("HOME", "/tmp")]
    {
        command.env(name, value);
    }
    command.env("PATH", std::env::var_os("PATH").expect("a path"));
    let done = command.output().expect("scripts/needs.sh installs sqitch");
    let told = (String::from_utf8_lossy(&done.stdout).into_owned(), String::from_utf8_lossy(&done.stderr).into_owned());
    assert!(done.status.success(), "{arguments:?}: {told:#?}");
}

fn script(header: &str, sql: &str) -> String {
    format!("-- {header} from pg\n-- requires: something\n\nBEGIN;\n\n{sql}\nCOMMIT;\n")
}

#[test]
fn sqitch_s_own_plan_and_history() {
    let legacy = Legacy::new("sqitch");
    legacy.file("README.md", "of the school\n");
    sqitch(&legacy, &["init", "school", "--engine", "pg"]);
    for (name, requires, up, down) in
        [("create_plan", None, FIRST, FIRST_BACK), ("add_week", Some("create_plan"), SECOND, SECOND_BACK)]
    {
        let requires: Vec<&str> = requires.into_iter().flat_map(|one| ["--requires", one]).collect();
        sqitch(&legacy, &[&["add", name, "-n", "as the school wants it"], requires.as_slice()].concat());
        legacy.file(&format!("deploy/{name}.sql"), &script("Deploy", up));
        legacy.file(&format!("revert/{name}.sql"), &script("Revert", down));
        legacy.file(&format!("verify/{name}.sql"), "select 1;\n");
    }
    let url = legacy.work.database.url();
    let target = format!("db:{}", url.replace("postgresql://", "pg://").replace("postgres://", "pg://"));
    sqitch(&legacy, &["deploy", &target]);
    legacy.sql("insert into plan (title) values ('algebra')");

    // Another project's changes in the same history are none of ours.
    legacy.sql(
        "insert into sqitch.projects (project, creator_name, creator_email) values ('other', 'x', 'x@example.org');
         insert into sqitch.changes (change_id, script_hash, change, project, committer_name, committer_email, planned_at,
             planner_name, planner_email) values ('x', 'y', 'z', 'other', 'x', 'x@example.org', now(), 'x', 'x@example.org')",
    );
    let plan = std::fs::read_to_string(legacy.folder().join("sqitch.plan")).expect("sqitch wrote it");
    let plan = format!("{plan}titles 2026-01-03T00:00:00Z Directora <directora@escuela.example> # titles\n");
    let third = [("sqitch.plan", plan.as_str()), ("deploy/titles.sql", THIRD), ("revert/titles.sql", THIRD_BACK)];
    legacy.walk("sqitch.changes", &third, true);
    let told = legacy.value("select name || ', ' || applied_by from migration_service.history where version = 2");
    assert_eq!(told, "add_week, Directora (sqitch)");

    legacy.file("deploy/create_plan.sql", FIRST);
    let status = legacy.profe(&["migrate", "status"]).ok(0);
    assert!(!status.contains("edited"), "BEGIN and COMMIT are not what it does: {status}");
}
