//! `profe serve`, and `up` on a server that somebody named.

use crate::support::{Running, client, free_port, open_folder, profe, run, until};

#[test]
fn it_serves_what_it_has() {
    let folder = open_folder();
    let said = run(&mut profe(folder.path()), &["serve", "--only", "chat-service"]).err(2);
    assert!(said.contains("no service \"chat-service\"") && said.contains("migration-service"), "{said}");
    let said = run(&mut profe(folder.path()), &["serve"]).err(2);
    assert!(said.contains("no database to serve") && said.contains("profe up"), "{said}");
    assert!(!folder.path().join(".profe").exists(), "nothing was made");
}

#[test]
fn it_serves_without_migrating() {
    let folder = open_folder();
    let project = testkit::TestProject::new();
    project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    let database = testkit::block_on(testkit::server().empty_database());
    let port = free_port();
    let mut command = profe(folder.path());
    command.env("DATABASE_URL", database.url()).env("MIGRATION_SERVICE_PORT", port.to_string());
    command.arg("--project").arg(project.path());
    let mut serve = Running::start(&mut command, &["serve", "--only", "migration-service", "--output", "json"]);
    serve.wait_for("\"ready\":true");
    let answer = client().get(format!("http://localhost:{port}/api/migrations/status")).send().expect("an answer");
    assert!(answer.text().expect("text").contains("\"overallStatus\":\"pending\""));
    assert_eq!(serve.interrupt().0.code(), Some(0));
    assert!(!folder.path().join(".profe").exists(), "no private database beside the one named");
}

#[test]
fn elsewhere_without_a_token_is_refused() {
    let folder = open_folder();
    let database = testkit::block_on(testkit::server().empty_database());
    let mut command = profe(folder.path());
    command
        .env("DATABASE_URL", database.url())
        .env("MIGRATION_SERVICE_PORT", "0")
        .env("MIGRATION_SERVICE_BIND", "0.0.0.0");
    let said = run(&mut command, &["up"]).err(5);
    assert!(said.contains("profe token create"), "{said}");
}

#[test]
fn a_migration_that_fails_ends_up_with_its_error() {
    let folder = open_folder();
    let project = testkit::TestProject::new();
    project.migration("alpha/1_create_t", "create table alpha.t (id int);\nselect 1 / 0;", "drop table alpha.t;");
    let database = testkit::block_on(testkit::server().empty_database());
    let mut command = profe(folder.path());
    command.env("DATABASE_URL", database.url()).env("MIGRATION_SERVICE_PORT", "0").arg("--project").arg(project.path());
    let said = run(&mut command, &["up"]).err(1);
    assert!(said.contains("1_create_t.up.sql:2:1"), "{said}");
    assert_eq!(said.matches("division by zero").count(), 1, "the cause is said once: {said}");
}

#[test]
fn ctrl_c_during_the_start_is_no_failure() {
    let folder = open_folder();
    let project = testkit::TestProject::new();
    project.migration("alpha/1_sleep", "select pg_sleep(600);", "select 1;");
    let database = testkit::block_on(testkit::server().empty_database());
    let mut command = profe(folder.path());
    command.env("DATABASE_URL", database.url()).env("MIGRATION_SERVICE_PORT", "0").arg("--project").arg(project.path());
    let up = Running::start(&mut command, &["up"]);
    until(&database, "select true from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'");
    let (status, _, said) = up.interrupt();
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.contains("Stopped before everything had started."), "{said}");
    assert!(!said.contains("ERROR") && !said.contains("WARN") && !said.contains("error["), "{said}");
}
