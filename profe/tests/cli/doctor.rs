//! `profe doctor`

use serde_json::Value;
use testkit::{block_on, server, service_url};

use crate::support::{Done, Running, Workplace, free_port, open_folder, profe, run};

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

/// The variables of a service that signs in as this.
fn of_auth(url: &str) -> [(&'static str, String); 3] {
    [
        ("AUTH_SERVICE_DB_URL", url.to_owned()),
        ("AUTH_SERVICE_JWT_SECRET", "a-secret-that-is-long-enough-for-tests".to_owned()),
        ("AUTH_SERVICE_MIGRATION_SERVICE", format!("http://127.0.0.1:{}", free_port())),
    ]
}

#[test]
fn a_service_that_may_too_much_is_told_what_to_take_from_it() {
    let folder = open_folder();
    let database = block_on(server().platform_database());
    let doctor = |url: &str, code| {
        let mut command = profe(folder.path());
        command.envs(of_auth(url)).args(["--output", "json"]);
        checks(run(&mut command, &["doctor"]), code)
    };
    let found = doctor(&database.url(), 1);
    let unfit = with(&found, "it must not sign in as postgres: ");
    assert_eq!((&unfit["verdict"], &unfit["area"]), (&Value::from("error"), &Value::from("auth-service")));
    assert!(unfit["cure"].as_str().is_some_and(|cure| cure.contains("sign in as auth_service")), "{unfit}");
    assert!(unfit["statements"].to_string().contains("ALTER ROLE postgres NOSUPERUSER"), "{unfit}");

    let found = doctor(&block_on(service_url(&database, "users_service")), 1);
    assert!(with(&found, "signs in to")["message"].to_string().contains("as users_service, which is not its role"));

    let found = doctor(&block_on(service_url(&database, "auth_service")), 0);
    assert_eq!(with(&found, "auth_service signs in to")["verdict"], "ok");
    // Whether the schemas fit is the migration service's to say, and it is away.
    let schema = with(&found, "whether its schemas fit cannot be asked at http://127.0.0.1:");
    assert_eq!(schema["verdict"], "warning");
    assert!(schema["cure"].to_string().contains("AUTH_SERVICE_MIGRATION_SERVICE"), "{schema}");
    // A pod of a service has no databases of the migration service, and no server to start.
    with(&found, "only other parts are set up here");

    let found = doctor("postgresql://auth_service:wrong@127.0.0.1:1/profe_database", 1);
    let away = with(&found, "its database cannot be used");
    assert!(!away.to_string().contains("wrong@") && away["statements"][0] == "ALTER ROLE auth_service PASSWORD '…';");
}

#[test]
fn schemas_that_lag_behind_a_service_are_told() {
    let folder = open_folder();
    let database = block_on(server().empty_database());
    let port = free_port().to_string();
    let mut command = profe(folder.path());
    command.env("DATABASE_URL", database.url()).env("MIGRATION_SERVICE_PORT", &port);
    command.env("MIGRATION_SERVICE_WATCH_INTERVAL", "off");
    let mut serve = Running::start(&mut command, &["serve", "--only", "migration-service", "--output", "json"]);
    serve.wait_for("\"ready\":true");
    let doctor = |code| {
        let mut command = profe(folder.path());
        command.envs(of_auth(&database.url())).args(["--output", "json"]);
        command.env("AUTH_SERVICE_MIGRATION_SERVICE", format!("http://127.0.0.1:{port}"));
        checks(run(&mut command, &["doctor"]), code)
    };
    let found = doctor(1);
    let lag = with(&found, "its schemas in development are not what it needs: ");
    assert!(lag["verdict"] == "error" && lag["cure"].is_string(), "{lag}");
    run(profe(folder.path()).env("DATABASE_URL", database.url()), &["migrate", "run"]).ok(0);
    with(&doctor(1), "its schemas in development are what it needs");
    assert_eq!(serve.interrupt().0.code(), Some(0));
}

#[test]
fn settings_ports_and_secrets_of_the_parts_are_looked_at_together() {
    let folder = open_folder();
    let database = block_on(server().platform_database());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let doctor = |variables: &[(&str, &str)], code| {
        let mut command = profe(folder.path());
        command.env("DATABASE_URL", database.url()).env("MIGRATION_SERVICE_PORT", "0").args(["--output", "json"]);
        command.envs(variables.iter().copied());
        checks(run(&mut command, &["doctor"]), code)
    };
    let bad = [
        ("API_GATEWAY_PORT", "30oo"),
        ("API_GATEWAY_ROUTES", "/there/is/none.toml"),
        ("USER_SERVICE_DB_POOL", "0"),
        ("AUTH_SERVICE_URL", "auth"),
    ];
    let found = doctor(&bad, 1);
    for (name, _) in bad {
        assert_eq!(with(&found, name)["verdict"], "error", "{name}");
    }
    let of_url = found.iter().filter(|check| check["message"].to_string().contains("AUTH_SERVICE_URL"));
    assert_eq!(of_url.count(), 1, "what several parts read is wrong once: {found:#?}");

    let url = block_on(service_url(&database, "auth_service"));
    let found = doctor(&[("AUTH_SERVICE_DB_URL", &url), ("AUTH_SERVICE_BIND", "0.0.0.0")], 1);
    let secret = with(&found, "AUTH_SERVICE_JWT_SECRET is not set");
    assert!(secret["cure"].as_str().is_some_and(|cure| cure.contains("openssl")), "{secret}");

    let away = format!("http://127.0.0.1:{}", free_port());
    let found = doctor(
        &[
            ("AUTH_SERVICE_DB_URL", &url),
            ("AUTH_SERVICE_PORT", &port),
            ("AUTH_SERVICE_URL", &away),
            ("API_GATEWAY_AUTH_SERVICE", &format!("http://127.0.0.1:{port}")),
            ("API_GATEWAY_USER_SERVICE", &away),
            ("MAIL_SMTP_URL", &away.replace("http", "smtp")),
            ("MAIL_FROM", "profe@escuela.example"),
        ],
        0,
    );
    for (message, cure) in [
        (format!("127.0.0.1:{port} cannot be had"), "AUTH_SERVICE_PORT"),
        ("publishes no keys".to_owned(), "AUTH_SERVICE_URL"),
        (format!("user-service cannot be reached at {away}"), "API_GATEWAY_USER_SERVICE"),
        ("the mail server 127.0.0.1:".to_owned(), "MAIL_SMTP_URL"),
    ] {
        let check = with(&found, &message);
        assert!(check["verdict"] == "warning" && check["cure"].to_string().contains(cure), "{check}");
    }
    assert_eq!(with(&found, &format!("auth-service listens at http://127.0.0.1:{port}"))["verdict"], "ok");
    assert_eq!(with(&found, "its route table (built in) is good")["verdict"], "ok");
    assert!(!folder.path().join(".profe").exists(), "no secret was made up");
}

#[test]
fn a_platform_that_runs_is_praised() {
    let folder = open_folder();
    let ports: Vec<_> = std::iter::repeat_with(|| free_port().to_string()).take(5).collect();
    let names = ["MIGRATION_SERVICE", "AUTH_SERVICE", "USER_SERVICE", "ORGANIZATION_SERVICE", "API_GATEWAY"];
    let profe = || {
        let mut command = profe(folder.path());
        command.envs(names.iter().map(|name| format!("{name}_PORT")).zip(&ports));
        command
    };
    // Before there is anything, that is no fault.
    let before = run(&mut profe(), &["doctor"]).ok(0);
    assert!(before.contains("`profe up` makes it and lets the service in"), "{before}");
    let mut up = Running::start(&mut profe(), &["up", "--output", "json"]);
    up.wait_for("\"ready\":true");
    let out = run(&mut profe(), &["doctor"]).ok(0);
    assert!(out.contains("Everything is as it should be."), "{out}");
    for (role, port) in ["auth_service", "users_service", "organizations_service"].iter().zip(&ports[1..]) {
        assert!(out.contains(&format!("{role} signs in to profe_database")), "{role} in {out}");
        assert!(out.contains(&format!("it serves on 127.0.0.1:{port}, and is ready")), "{port} in {out}");
    }
    assert!(out.contains("no mail server is named; they lie in"), "{out}");
    assert_eq!(up.interrupt().0.code(), Some(0));
}
