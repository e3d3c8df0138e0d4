//! `profe doctor`

use serde_json::Value;
use testkit::{TestProject, block_on, server};

use crate::support::{Done, free_port, open_folder, profe, run};

fn checks(done: Done, code: i32) -> Vec<Value> {
    let out = done.ok(code);
    let document: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
    document["checks"].as_array().expect("a list").clone()
}

fn with<'a>(checks: &'a [Value], text: &str) -> &'a Value {
    let found = checks.iter().find(|check| check["message"].as_str().is_some_and(|message| message.contains(text)));
    found.unwrap_or_else(|| panic!("nothing about {text:?} in {checks:#?}"))
}

#[test]
fn a_good_installation_is_praised() {
    let folder = open_folder();
    let database = block_on(server().platform_database());
    let mut command = profe(folder.path());
    command.env("DATABASE_URL", database.url()).env("MIGRATION_SERVICE_PORT", free_port().to_string());
    let out = run(&mut command, &["doctor"]).ok(0);
    assert!(out.contains("Everything is as it should be."), "{out}");
    assert!(out.contains("PostgreSQL") && out.contains("0 pending"), "{out}");
}

#[test]
fn a_user_without_rights_is_told_what_to_grant() {
    let folder = open_folder();
    let database = block_on(server().empty_database());
    let project = TestProject::new();
    project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    let user = format!("plain_{}", database.name().trim_start_matches("test_"));
    block_on(database.value(&format!("create role {user} login password 'secret'")));
    let rest = database.url().split_once('@').expect("a user").1.to_owned();
    let mut command = profe(folder.path());
    command.env("DATABASE_URL", format!("postgresql://{user}:secret@{rest}"));
    command.arg("--project").arg(project.path()).args(["--output", "json"]);
    let found = checks(run(&mut command, &["doctor"]), 1);
    assert_eq!(with(&found, "may not create roles")["verdict"], "error");
    assert_eq!(with(&found, "may not create databases")["verdict"], "warning");
    for (text, statement) in [
        ("may not create schemas", format!("GRANT CREATE ON DATABASE \"{}\" TO \"{user}\";", database.name())),
        ("may not create roles", format!("ALTER ROLE \"{user}\" CREATEROLE;")),
        ("may not create databases", format!("ALTER ROLE \"{user}\" CREATEDB;")),
    ] {
        assert_eq!(with(&found, text)["statements"][0], statement.as_str());
        block_on(database.value(&statement));
    }
    let better = checks(run(&mut command, &[]), 0);
    assert_eq!(with(&better, "every right that is needed")["verdict"], "ok");
    block_on(database.value(&format!("drop owned by {user}")));
    block_on(database.value(&format!("drop role {user}")));
}

#[test]
fn a_user_who_need_not_make_roles_is_told_what_is_missing_of_them() {
    let folder = open_folder();
    let project = TestProject::new();
    project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    // Somebody else has used the catalogue on this server before, so its roles exist.
    let other = block_on(server().empty_database());
    let mut command = profe(folder.path());
    command.env("DATABASE_URL", other.url()).arg("--project").arg(project.path());
    run(&mut command, &["migrate", "run"]).ok(0);

    let database = block_on(server().empty_database());
    let user = format!("plain_{}", database.name().trim_start_matches("test_"));
    block_on(database.value(&format!("create role {user} login password 'secret'")));
    block_on(database.value(&format!("grant create on database \"{}\" to {user}", database.name())));
    let rest = database.url().split_once('@').expect("a user").1.to_owned();
    let profe = || {
        let mut command = profe(folder.path());
        command.env("DATABASE_URL", format!("postgresql://{user}:secret@{rest}"));
        command.arg("--project").arg(project.path()).args(["--output", "json"]);
        command
    };
    let found = checks(run(&mut profe(), &["doctor"]), 1);
    let owners = with(&found, "is no member of roles");
    assert_eq!(owners["verdict"], "error");
    run(&mut profe(), &["migrate", "run"]).ok(5);
    // Exactly what it says is enough.
    for statement in owners["statements"].as_array().expect("a list") {
        block_on(database.value(statement.as_str().expect("SQL")));
    }
    checks(run(&mut profe(), &["doctor"]), 0);
    run(&mut profe(), &["migrate", "run"]).ok(0);
    block_on(database.value(&format!("drop owned by {user} cascade")));
    block_on(database.value(&format!("drop role {user}")));
}

#[test]
fn everything_wrong_is_said_at_once() {
    let folder = open_folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let mut command = profe(folder.path());
    command.args(["--output", "json", "--project", "/nowhere"]);
    command.env("DATABASE_URL", "postgresql://127.0.0.1:1/x").env("MIGRATION_SERVICE_PORT", port);
    command.env("MIGRATION_SERVICE_MASTER_DB_URL", "mysql://x");
    let found = checks(run(&mut command, &["doctor"]), 1);
    with(&found, "MIGRATION_SERVICE_MASTER_DB_URL");
    with(&found, "/nowhere");
    let mut command = profe(folder.path());
    command.args(["--output", "json"]).env("DATABASE_URL", "postgresql://127.0.0.1:1/x");
    let found = checks(run(&mut command, &["doctor"]), 1);
    assert!(with(&found, "nothing listens there")["cure"].is_string());
}

#[test]
fn it_makes_nothing() {
    let folder = open_folder();
    run(profe(folder.path()).env("MIGRATION_SERVICE_PORT", "0"), &["doctor"]).ok(0);
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("ours").collect();
    assert!(left.is_empty(), "{left:?}");
}
