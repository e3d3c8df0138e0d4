//! Each exit code, as documented in `--help`.

use testkit::server;

use crate::support::{Running, Workplace, open_folder, profe, run};

#[test]
fn wrong_use_is_2() {
    let folder = open_folder();
    let run =
        |arguments: &[&str]| run(profe(folder.path()).env("DATABASE_URL", "postgresql://127.0.0.1:1/x"), arguments);
    run(&["migrate", "fly"]).err(2);
    run(&["migrate", "rollback"]).err(2);
    run(&["migrate", "run", "--wait", "soon"]).err(2);
    run(&["token", "create", "--name", "x", "--scopes", "everything"]).err(2);
    let unknown = run(&["migrate", "status", "-e", "moon"]).err(2);
    assert!(unknown.contains("development, staging, production"), "{unknown}");
    let unknown = run(&["migrate", "run", "--service", "moon-service"]).err(2);
    assert!(unknown.contains("auth-service"), "{unknown}");
}

#[test]
fn bad_settings_are_2_and_reported_together() {
    let folder = open_folder();
    let mut command = profe(folder.path());
    command
        .env("MIGRATION_SERVICE_PORT", "http")
        .env("MIGRATION_SERVICE_AUTH", "perhaps")
        .env("DATABASE_URL_FILE", "/nowhere");
    let said = run(&mut command, &["migrate", "status"]).err(2);
    for name in ["MIGRATION_SERVICE_PORT", "MIGRATION_SERVICE_AUTH", "DATABASE_URL_FILE"] {
        assert!(said.contains(name), "{name}: {said}");
    }
}

#[test]
fn what_cannot_be_used_is_named_for_what_it_is() {
    let folder = open_folder();
    let mysql = "mysql://ana:hunter2@db.example.org/x";
    let said = run(profe(folder.path()).env("DATABASE_URL", mysql), &["migrate", "status"]).err(2);
    assert!(said.contains("mysql://") && said.contains("postgresql://") && !said.contains("hunter2"), "{said}");
    let file = folder.path().join(".env");
    std::fs::write(&file, "A B=1\nno equals\n").expect("written");
    let said = run(&mut profe(folder.path()), &["migrate", "status"]).err(2);
    assert!(said.contains("line 1:") && said.contains("line 2:"), "{said}");
    std::fs::remove_file(&file).expect("ours");
    std::fs::write(folder.path().join("file"), "").expect("written");
    let said = run(&mut profe(folder.path()), &["--project", "file", "migrate", "status"]).err(1);
    assert!(said.contains("is a file and no folder"), "{said}");
}

#[test]
fn no_database_is_6() {
    let folder = open_folder();
    let said =
        run(profe(folder.path()).env("DATABASE_URL", "postgresql://127.0.0.1:1/x"), &["migrate", "status"]).err(6);
    assert!(said.contains("database_unavailable") && said.contains("127.0.0.1:1"), "{said}");
    let wrong = server().url("postgres").replacen("://", "://nobody_here", 1);
    run(profe(folder.path()).env("DATABASE_URL", wrong), &["migrate", "status"]).err(6);
}

#[test]
fn missing_rights_are_5_and_listed_one_statement_a_line() {
    let place = Workplace::new();
    place.project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    let (user, url) = place.plain_user();
    place.value(&format!("grant create on database \"{}\" to {user}", place.database.name()));
    let mut command = place.profe_at(&url);
    let said = run(&mut command, &["migrate", "run"]).err(5);
    let help = said.split_once("help: ").expect("a cure").1;
    assert!(help.lines().filter(|line| line.starts_with("      CREATE ROLE ")).count() == 6, "{said}");
    assert!(help.lines().all(|line| line.matches(';').count() <= 2 && line.len() <= 120), "{said}");
    place.drop_user(&user);
}

#[test]
fn a_protected_environment_is_5() {
    let place = Workplace::new();
    place.project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    let profe = || {
        let mut command = place.profe();
        command.env("MIGRATION_SERVICE_ENVIRONMENT", "production");
        command.env("MIGRATION_SERVICE_BACKUP_STORAGE", place.folder.path().join("copies"));
        command
    };
    // Nobody can be asked here, and running forward is what pipelines do.
    run(&mut profe(), &["migrate", "run"]).ok(0);
    let said = run(&mut profe(), &["migrate", "rollback", "-n", "1"]).err(5);
    assert!(said.contains("confirmation_required") && said.contains("--yes"), "{said}");
    run(&mut profe(), &["migrate", "rollback", "-n", "1", "--yes"]).ok(0);
    run(&mut profe(), &["db", "scratch"]).err(5);
}

#[test]
fn a_failed_run_is_1_and_says_what_stands() {
    let place = Workplace::new();
    place.project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    place.project.migration("alpha/2_fail", "select 1 / 0;", "select 1;");
    let out = run(&mut place.profe(), &["migrate", "run"]).ok(1);
    assert!(out.contains("Failed: 1 migration applied before that, and it stands."), "{out}");
    let said = run(&mut place.profe(), &["migrate", "rollback", "--steps", "2"]).err(5);
    assert!(said.contains("2, and 1 migration is applied") && said.contains("help: ask for 1 step\n"), "{said}");
    place.project.migration("alpha/2_fail", "select 1;", "select 1;");
    place.project.migration("alpha/3_fail", "select 1 / 0;", "select 1;");
    place.project.migration("alpha/4_after", "select 1;", "select 1;");
    run(&mut place.profe(), &["migrate", "run"]).ok(1);
    // Asked for more than there is: nothing is taken back, and the cure is told.
    let said = run(&mut place.profe(), &["migrate", "rollback", "--steps", "99"]).err(5);
    assert!(said.contains("error[too_few_applied]") && said.contains("help:"), "{said}");
    assert!(place.value("select to_regclass('alpha.t')::text").is_some());
}

#[test]
fn a_second_runner_is_4_and_ctrl_c_is_130() {
    let place = Workplace::new();
    place.project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    run(&mut place.profe(), &["migrate", "run"]).ok(0);
    place.project.migration(
        "alpha/2_sleep",
        "select pg_sleep(600);\ncreate table alpha.u (id int);",
        "drop table alpha.u;",
    );
    let mut first = Running::start(&mut place.profe(), &["migrate", "run", "--output", "json"]);
    first.wait_for("migration_started");
    let said = run(&mut place.profe(), &["migrate", "run"]).err(4);
    assert!(said.contains("error[busy]: the target's") && said.contains("--wait 5m"), "{said}");
    assert!(!said.to_lowercase().contains("select"), "what the holder runs is our own affair: {said}");
    let (status, lines, _) = first.interrupt();
    assert_eq!(status.code(), Some(130), "{lines:#?}");
    assert_eq!(place.value("select to_regclass('alpha.u')::text"), None);
    // Nothing was left behind: the target can be worked on at once.
    run(&mut place.profe(), &["migrate", "rollback", "-n", "1"]).ok(0);
}
