use std::collections::BTreeMap;

use super::*;

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
    let map: BTreeMap<_, _> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let lookup = |name: &str| map.get(name).cloned();
    let catalogue = Catalogue::parse(CATALOGUE).expect("a good catalogue");
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
