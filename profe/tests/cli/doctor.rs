//! `profe doctor`

use serde_json::Value;
use testkit::{block_on, server};

use crate::support::{Done, Workplace, free_port, open_folder, profe, run};

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
    let place = Workplace::new();
    place.project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    let database = &place.database;
    let (user, url) = place.plain_user();
    let mut command = place.profe_at(&url);
    command.args(["--output", "json"]);
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
    place.drop_user(&user);
}

#[test]
fn a_user_who_need_not_make_roles_is_told_what_is_missing_of_them() {
    let place = Workplace::new();
    place.project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    // Somebody else has used the catalogue on this server before, so its roles exist.
    let other = block_on(server().empty_database());
    run(&mut place.profe_at(&other.url()), &["migrate", "run"]).ok(0);

    let (user, url) = place.plain_user();
    place.value(&format!("grant create on database \"{}\" to {user}", place.database.name()));
    let profe = || {
        let mut command = place.profe_at(&url);
        command.args(["--output", "json"]);
        command
    };
    let found = checks(run(&mut profe(), &["doctor"]), 1);
    let owners = with(&found, "is no member of roles");
    assert_eq!(owners["verdict"], "error");
    run(&mut profe(), &["migrate", "run"]).ok(5);
    // Exactly what it says is enough.
    for statement in owners["statements"].as_array().expect("a list") {
        place.value(statement.as_str().expect("SQL"));
    }
    checks(run(&mut profe(), &["doctor"]), 0);
    run(&mut profe(), &["migrate", "run"]).ok(0);
    place.drop_user(&user);
}

/// A run grants only where it prepares; what an administrator takes away later stays away.
#[test]
fn a_membership_that_was_taken_away_is_told_with_the_grant_that_brings_it_back() {
    let place = Workplace::new();
    place.project.migration("alpha/1_create_t", "create table alpha.t (id int);", "drop table alpha.t;");
    let shared = format!("shared_{}", place.database.name().trim_start_matches("test_"));
    let catalogue = place.project.read("config/services.toml");
    let (alpha, rest) = catalogue.split_once("references").expect("a service");
    let with_shared = format!("{alpha}member_of = [\"{shared}\"]\nreferences{rest}\n[roles.{shared}]\n");
    place.project.write("config/services.toml", &with_shared);
    let (user, url) = place.plain_user();
    place.value(&format!("alter role {user} createrole createdb"));
    place.value(&format!("grant create on database \"{}\" to {user}", place.database.name()));
    let doctor = |code| checks(run(place.profe_at(&url).args(["--output", "json"]), &["doctor"]), code);
    run(&mut place.profe_at(&url), &["migrate", "run"]).ok(0);
    with(&doctor(0), "every right that is needed");

    let owner =
        place.value("select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'alpha'").expect("alpha");
    let service = owner.replace("_owner_", "_service_");
    place.value(&format!("revoke {owner} from {user}; revoke {shared} from {service}"));
    let found = doctor(1);
    for (text, role, member) in [("is no member of roles", &owner, &user), ("lack memberships", &shared, &service)] {
        let check = with(&found, text);
        assert_eq!(check["verdict"], "error");
        assert_eq!(check["statements"][0], format!("GRANT \"{role}\" TO \"{member}\";"));
        place.value(check["statements"][0].as_str().expect("SQL"));
    }
    doctor(0);
    place.drop_user(&user);
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

#[test]
fn webhooks_that_cannot_be_called_and_what_is_owed_are_told() {
    let place = Workplace::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = listener.local_addr().expect("an address").port();
    let hook = |service: &str, url: &str| {
        format!(
            "[services.{service}-service.webhooks]\nurl = {url:?}\nsecret_variable = \"{}_SECRET\"\n",
            service.to_uppercase()
        )
    };
    let all = [
        place.project.read("config/services.toml"),
        hook("alpha", &format!("http://127.0.0.1:{taken}/geheim")),
        hook("beta", &format!("http://127.0.0.1:{}/", free_port())),
        hook("gamma", "http://127.0.0.1:1/"),
    ];
    place.project.write("config/services.toml", &all.join("\n"));
    // The service has been here, and could not call one of them.
    run(&mut place.profe(), &["migrate", "run"]).ok(0);
    run(&mut place.profe(), &["token", "list"]).ok(0);
    let owe = "insert into migration_service.webhook_delivery (environment, service, event, run_id, body, created_at, due_at, attempts, answer) \
               values ('development', 'alpha-service', 'applied', gen_random_uuid(), '{}', now() - interval '2 hours', now(), 9, 'it answered 500')";
    place.value(owe);
    let mut command = place.profe();
    command.args(["--output", "json"]).env("ALPHA_SECRET", "a").env("BETA_SECRET", "b");
    let found = checks(run(&mut command, &["doctor"]), 0);
    let owed = with(&found, "alpha-service is owed 1 call, the oldest for 120 minutes; the last time it answered 500");
    assert_eq!(owed["verdict"], "warning");
    let away = with(&found, "beta-service: its webhook at http://127.0.0.1:");
    assert!(
        away["message"].as_str().is_some_and(|text| text.contains("refused")) && away["cure"].is_string(),
        "{away}"
    );
    assert_eq!(
        with(&found, "gamma-service: its webhook cannot be called: GAMMA_SECRET is not set")["verdict"],
        "warning"
    );
    assert!(!format!("{found:?}").contains("geheim"), "an address may be a secret");

    place.value("update migration_service.webhook_delivery set delivered_at = now()");
    let better = checks(run(&mut command, &[]), 0);
    assert_eq!(with(&better, &format!("alpha-service: http://127.0.0.1:{taken} listens"))["verdict"], "ok");
}

#[test]
fn fleets_whose_servers_or_databases_are_not_there_are_told() {
    let place = Workplace::new();
    let fleet = |name: &str, service: &str, rest: &str| {
        format!("[fleets.{name}]\nservice = \"{service}-service\"\nenvironment = \"development\"\n{rest}\n")
    };
    let all = [
        place.project.read("config/services.toml"),
        fleet("near", "alpha", &format!("databases = [{:?}]", place.database.name())),
        fleet("far", "beta", "servers = [\"FAR_URL\"]\nmatch = \"tenant_%\""),
        fleet("none", "gamma", "match = \"nobody_has_such_a_name_%\""),
    ];
    place.project.write("config/services.toml", &all.join("\n"));
    let mut command = place.profe();
    command.args(["--output", "json"]);
    let found = checks(run(&mut command, &["doctor"]), 0);
    assert_eq!(with(&found, "near: 1 database, all of whose servers answer")["verdict"], "ok");
    assert_eq!(with(&found, "set FAR_URL")["verdict"], "warning");
    assert!(with(&found, "the fleet \"none\" has no databases")["cure"].is_string());
    command.env("FAR_URL", "postgresql://127.0.0.1:1/postgres");
    let found = checks(run(&mut command, &[]), 1);
    assert_eq!(with(&found, "far: the server 127.0.0.1:1 does not answer")["verdict"], "error");
}
