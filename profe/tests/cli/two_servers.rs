//! The commands that look at an environment, where its databases are on two servers.

use std::process::Command;

use embedded_postgres::Cluster;
use postgres_link::{AdminConn, ConnectOptions};
use serde_json::Value;
use testkit::{block_on, start_cluster};

use crate::support::{Done, Workplace, run};

const BETA: &str = "development/beta";

/// Where `beta-service` lives on a server of its own.
struct Place {
    work: Workplace,
    server: Option<Cluster>,
    url: String,
}

impl Place {
    fn new() -> Self {
        let work = Workplace::new();
        let catalogue = work.project.read("config/services.toml");
        let own =
            "\n[environments.development.databases.beta]\nservices = [\"beta-service\"]\nurl_variable = \"BETA_URL\"\n";
        work.project.write("config/services.toml", &(catalogue + own));
        work.project.migration("alpha/1_create_t", "create table alpha.t (id int primary key);", "drop table alpha.t;");
        work.project.migration("beta/1_create_u", "create table beta.u (id int primary key);", "drop table beta.u;");
        let server = start_cluster();
        let url = server.url("postgres");
        let place = Self { work, server: Some(server), url };
        place.profe(&["migrate", "run"]).ok(0);
        place
    }

    fn command(&self) -> Command {
        let mut command = self.work.profe();
        command
            .env("BETA_URL", &self.url)
            .env("MIGRATION_SERVICE_BACKUP_STORAGE", self.work.folder.path().join("copies"));
        command
    }

    fn profe(&self, arguments: &[&str]) -> Done {
        run(&mut self.command(), arguments)
    }

    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let out = self.profe(&[arguments, &["--output", "json"]].concat()).ok(code);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// What the server that is apart answers.
    fn beta(&self, sql: &str) -> Option<String> {
        let options = ConnectOptions::parse_with(&self.url, &|_| None).expect("the server's own URL");
        block_on(async {
            let session: AdminConn = postgres_link::connect(&options).await.expect("it runs");
            session.batch(sql).await.expect("the superuser may").value(0, 0).map(str::to_owned)
        })
    }
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().filter_map(|one| one["environment"].as_str()).collect()
}

#[test]
fn each_database_is_told_and_one_that_is_away_is_named() {
    let mut place = Place::new();
    place.beta("create table beta.by_hand (id int)");
    let list = place.profe(&["audit", "list", "--foreign", "--schema", "beta"]).ok(0);
    let (alpha, beta) = list.split_once(BETA).expect("each under its name");
    assert!(alpha.contains("Nothing was recorded.") && beta.contains("CREATE TABLE"), "{list}");
    let verified = place.json(&["audit", "verify"], 0);
    assert_eq!(names(&verified["databases"]), ["development", BETA], "{verified:#}");
    place.beta("update migration_service.audit_entry set acting_role = 'nobody' where not via_service");
    place.profe(&["audit", "verify"]).ok(1);
    place.profe(&["audit", "verify", "--service", "alpha-service"]).ok(0);
    let unknown = place.profe(&["audit", "verify", "--service", "nobody"]).err(2);
    assert!(unknown.contains("nobody"), "{unknown}");
    place.profe(&["db", "diff"]).ok(1);
    place.beta("drop table beta.by_hand");
    place.profe(&["db", "diff"]).ok(0);

    for environment in [&[][..], &["-e", "development"]] {
        place.profe(&[&["db", "erd"], environment].concat()).ok(0);
        let design = std::fs::read_to_string(place.work.folder.path().join("ERD_DATABASE_DESIGN.md")).expect("written");
        assert!(design.contains("### alpha.t") && design.contains("### beta.u"), "{environment:?}: {design}");
    }

    place.server = None;
    let left = place.profe(&["audit", "list", "--schema", "alpha"]).ok(6);
    assert!(
        left.contains("development\n") && left.contains("MIGRATE") && left.contains(&format!("✗ {BETA}: ")),
        "{left}"
    );
    for command in [&["audit", "verify"], &["migrate", "status"], &["migrate", "history"]] {
        let told = place.json(command, 6);
        assert_eq!(told["databases"].as_array().map(Vec::len), Some(1), "{command:?}: {told:#}");
        assert_eq!(names(&told["unavailable"]), [BETA], "{command:?}");
    }
    assert_eq!(names(&place.json(&["db", "diff"], 6)["unavailable"]), [BETA]);
    let made = place.json(&["backup", "create"], 6);
    assert_eq!((names(&made["databases"]), names(&made["unavailable"])), (vec!["development"], vec![BETA]), "{made:#}");
    let checks = place.json(&["doctor"], 1);
    let verdicts = |area: &str| -> Vec<&str> {
        let all = checks["checks"].as_array().expect("a list").iter().filter(|check| check["area"] == area);
        all.filter_map(|check| check["verdict"].as_str()).collect()
    };
    assert!(verdicts(BETA) == ["error"] && !verdicts("development").contains(&"error"), "{checks:#}");
}

#[test]
fn a_backup_goes_back_where_its_service_lives() {
    let place = Place::new();
    place.beta("insert into beta.u values (1), (2)");
    let made = place.json(&["backup", "create", "--service", "beta-service,alpha-service"], 0);
    assert_eq!(names(&made["databases"]), [BETA, "development"], "{made:#}");
    assert_eq!(names(&place.json(&["backup", "list", "-e", "development"], 0)), ["development", BETA]);
    place.beta("delete from beta.u");
    let id = made["databases"][0]["backupId"].as_str().expect("an id");
    place.profe(&["backup", "restore", id, "--in-place", "--yes", "-e", "development"]).ok(0);
    assert_eq!(place.beta("select count(*) from beta.u").as_deref(), Some("2"));
}

#[test]
fn the_doctor_asks_of_a_server_only_what_its_services_need() {
    let place = Place::new();
    place.beta("create role plain login password 'secret'; grant all on database postgres to plain");
    let (_, at) = place.url.split_once('@').expect("a user");
    let url = format!("postgresql://plain:secret@{at}");
    let out = run(place.command().env("BETA_URL", url), &["doctor", "--output", "json"]);
    let checks: Value = serde_json::from_str(&out.out).expect("a document");
    let of_beta = checks["checks"].as_array().expect("a list").iter().filter(|check| check["area"] == BETA);
    let messages: Vec<&str> = of_beta.filter_map(|check| check["message"].as_str()).collect();
    // The other service's roles are on the other server only.
    assert!(messages.iter().any(|text| text.contains("all of the catalogue exist already")), "{messages:#?}");
}
