use std::collections::BTreeMap;

use super::*;

const SPLIT: &str = r#"
    [environments.development.databases.auth]
    services = ["auth-service"]
    url_variable = "AUTH_DATABASE_URL"
    [environments.development.databases.plans]
    services = ["plans-service"]
    url_variable = "PLANS_DATABASE_URL"
    [services.auth-service]
    schemas = ["auth"]
    [services.plans-service]
    schemas = ["plans"]
    [services.chat-service]
    schemas = ["chat"]
"#;
const CATALOGUE: &str = r#"
    [project]
    name = "escuela"
    default_environment = "development"
    [environments.development]
    url_variable = "DATABASE_URL"
    database = "escuela"
    [environments.production]
    url_variable = "PRODUCTION_DATABASE_URL"
    database = "escuela_production"
    protected = true
"#;

fn resolve(pairs: &[(&str, &str)], private: bool) -> Result<Targets, SettingsError> {
    resolve_of("", pairs, private)
}

fn resolve_of(more: &str, pairs: &[(&str, &str)], private: bool) -> Result<Targets, SettingsError> {
    let map: BTreeMap<_, _> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let lookup = |name: &str| map.get(name).cloned();
    let catalogue = Catalogue::parse(&format!("{CATALOGUE}{more}")).expect("a good catalogue");
    let settings = Settings::read(&lookup)?;
    let cluster =
        ConnectOptions::parse_with("postgres://postgres@127.0.0.1:5437/postgres", &lookup).expect("a good URL");
    Targets::resolve(&catalogue, &settings, &lookup, private.then_some(&cluster))
}

fn shown(targets: &Targets) -> Vec<String> {
    let mut lines: Vec<_> = targets
        .all()
        .iter()
        .map(|entry| match &entry.target {
            Ok(t) => format!(
                "{} {}/{} create={}",
                entry.environment,
                t.connect.host_summary(),
                t.connect.database(),
                t.create_database
            ),
            Err(reason) => format!("{} none: {reason}", entry.environment),
        })
        .collect();
    let master = targets.master();
    lines.push(format!(
        "master {}/{} create={}",
        master.connect.host_summary(),
        master.connect.database(),
        master.create_database
    ));
    lines
}

#[test]
fn on_defaults_everything_is_on_the_private_cluster() {
    let targets = resolve(&[], true).expect("a private cluster is enough");
    assert_eq!(
        shown(&targets),
        [
            "development 127.0.0.1:5437/escuela create=true",
            "production 127.0.0.1:5437/escuela_production create=true",
            "master 127.0.0.1:5437/profe_master create=true",
        ]
    );
}

#[test]
fn database_url_belongs_to_the_default_environment() {
    let targets = resolve(&[("DATABASE_URL", "postgres://a@db.example.org/main")], false).expect("one URL is enough");
    assert_eq!(
        shown(&targets),
        [
            "development db.example.org:5432/main create=false",
            "production db.example.org:5432/escuela_production create=true",
            "master db.example.org:5432/main create=false",
        ]
    );
}

#[test]
fn another_default_environment_takes_database_url_with_it() {
    let targets = resolve(
        &[("DATABASE_URL", "postgres://a@db.example.org/escuela"), ("MIGRATION_SERVICE_ENVIRONMENT", "production")],
        false,
    )
    .expect("good settings");
    assert_eq!(targets.default_environment(), "production");
    assert_eq!(
        shown(&targets)[..2],
        [
            "development none: the environment \"development\" would share the database \"escuela\" with \"production\": \
             set DATABASE_URL to one of its own",
            "production db.example.org:5432/escuela create=false",
        ]
    );
}

#[test]
fn an_own_url_wins_and_the_master_lends_its_server() {
    let targets = resolve(
        &[
            ("MIGRATION_SERVICE_MASTER_DB_URL", "postgres://a@master.example.org/control"),
            ("PRODUCTION_DATABASE_URL", "postgres://a@prod.example.org/live"),
        ],
        false,
    )
    .expect("good settings");
    assert_eq!(
        shown(&targets),
        [
            "development master.example.org:5432/escuela create=true",
            "production prod.example.org:5432/live create=false",
            "master master.example.org:5432/control create=false",
        ]
    );
}

#[test]
fn contradictions_are_refused_together() {
    let url = "postgres://a@db.example.org/main";
    let error =
        resolve(&[("DATABASE_URL", url), ("PRODUCTION_DATABASE_URL", url)], false).expect_err("one database twice");
    assert!(error.to_string().contains("are given the same database"), "{error}");
    let error =
        resolve(&[("MIGRATION_SERVICE_ENVIRONMENT", "mars"), ("PRODUCTION_DATABASE_URL", "postgres://h:x/")], true)
            .expect_err("two bad values");
    assert_eq!(error.problems.len(), 2, "{error}");
    let error = resolve(&[], false).expect_err("no server at all");
    assert!(error.to_string().contains("set DATABASE_URL"), "{error}");
}

#[test]
fn a_database_of_its_own_has_its_own_url_or_stands_beside_the_main_one() {
    let targets = resolve_of(
        SPLIT,
        &[
            ("DATABASE_URL", "postgres://a@db.example.org:5437/main"),
            ("AUTH_DATABASE_URL", "postgres://a@db.example.org:5438/auth"),
        ],
        false,
    )
    .expect("good settings");
    assert_eq!(
        shown(&targets)[..3],
        [
            "development db.example.org:5437/main create=false",
            "development/auth db.example.org:5438/auth create=false",
            "development/plans db.example.org:5437/escuela_plans create=true",
        ]
    );
    let twice = [("DATABASE_URL", "postgres://a@h/x"), ("AUTH_DATABASE_URL", "postgres://a@h/x")];
    let error = resolve_of(SPLIT, &twice, false).expect_err("one database twice");
    assert!(error.to_string().contains("\"development\" and \"development/auth\""), "{error}");
}

#[test]
fn a_fleets_databases_are_names_urls_and_variables() {
    let fleet = |databases: &str| {
        format!(
            "{SPLIT}[fleets.tenants]\nservice = \"chat-service\"\nenvironment = \"production\"\nservers = [\"ONE_URL\", \"TWO_URL\"]\n\
             databases = [{databases}]\n"
        )
    };
    let urls = [
        ("ONE_URL", "postgres://a:secret-one@one.example.org/postgres"),
        ("TWO_URL", "postgres://b:secret-two@two.example.org:5433/postgres"),
        ("OWN_URL", "postgres://c:secret@three.example.org/own"),
    ];
    let all = r#""tenant_1", "postgres://b@two.example.org:5433/tenant_2", "postgres://x@four.example.org/tenant_4", "$OWN_URL""#;
    let targets = resolve_of(&fleet(all), &urls, true).expect("good settings");
    let places = targets.fleet("tenants").expect("it is there").as_ref().expect("it is known");
    let listed: Vec<String> =
        places.listed.iter().map(|one| format!("{}/{}", one.host_summary(), one.database())).collect();
    assert_eq!(
        listed,
        [
            "one.example.org:5432/tenant_1",
            "two.example.org:5433/tenant_2",
            "four.example.org:5432/tenant_4",
            "three.example.org:5432/own"
        ]
    );
    assert!(
        places
            .find("tenant_9", Some("nine.example.org:5432"))
            .is_err_and(|why| why.contains("not among the fleet's servers"))
    );

    let missing = resolve_of(&fleet("\"$OTHER_URL\""), &urls, true).expect("a fleet is no reason not to start");
    let why = missing.fleet("tenants").expect("it is there").as_ref().expect_err("it is not known");
    assert!(why.contains("set OTHER_URL"), "{why}");
    let bad = resolve_of(&fleet("\"$BAD_URL\""), &[urls[0], urls[1], ("BAD_URL", "postgres://h:x/")], true);
    assert!(bad.expect_err("it cannot be read").to_string().contains("BAD_URL"));
}
