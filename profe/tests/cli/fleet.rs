//! `profe fleet`, also killed in the middle: every database is accounted for.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::{TestDb, block_on, moments, seed, server};

use crate::support::{DEADLINE, Workplace, run};

const UP: &str = "create table beta.t (id int primary key, title text not null);\n";
const DOWN: &str = "drop table beta.t;\n";
const DATABASES: usize = 16;
const KILLS: u32 = 6;

struct Fleet {
    work: Workplace,
    databases: Vec<TestDb>,
    /// Its sessions are known by it.
    user: String,
    url: String,
}

impl Fleet {
    fn new() -> Self {
        let work = Workplace::new();
        let databases: Vec<TestDb> = (0..DATABASES).map(|_| block_on(server().empty_database())).collect();
        let names: Vec<String> = databases.iter().map(|database| format!("{:?}", database.name())).collect();
        let catalogue = work.project.read("config/services.toml");
        let fleet = format!(
            "{catalogue}\n[fleets.tenants]\nservice = \"beta-service\"\nenvironment = \"development\"\n\
             databases = [{}]\nwave = 4\nper_server = 2\n",
            names.join(", ")
        );
        work.project.write("config/services.toml", &fleet);
        work.project.migration("beta/1_create_t", UP, DOWN);
        let (user, url) = work.plain_user();
        work.value(&format!("alter role {user} superuser"));
        Self { work, databases, user, url }
    }

    fn run(&self, arguments: &[&str], code: i32) -> String {
        run(&mut self.work.profe_at(&self.url), arguments).ok(code)
    }

    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let out = self.run(&[arguments, &["--output", "json"]].concat(), code);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// Starts a command, kills it after a while, and waits until nothing of it is left on the server.
    fn kill(&self, arguments: &[&str], after: Duration) {
        let mut command = self.work.profe_at(&self.url);
        let child = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("it starts");
        // The moment is what is tested.
        std::thread::sleep(after);
        child.kill().expect("our own child");
        child.wait().expect("our own child");
        let sessions = format!("select count(*) from pg_stat_activity where usename = '{}'", self.user);
        let give_up = Instant::now() + DEADLINE;
        while self.work.value(&sessions).as_deref() != Some("0") {
            assert!(Instant::now() < give_up, "sessions of a killed command stay");
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // What it owns goes with the databases.
        self.databases.clear();
        if !std::thread::panicking() {
            self.work.drop_user(&self.user);
        }
    }
}

#[test]
fn a_fleet_is_listed_planned_run_and_taken_back() {
    let fleet = Fleet::new();
    assert!(fleet.run(&["fleet", "list"], 0).contains("beta-service"));
    assert!(fleet.run(&["fleet", "plan", "tenants"], 3).contains("16 of 16 databases"));
    assert!(fleet.run(&["fleet", "run", "tenants"], 0).contains("completed, 16 databases: 16 applied."));
    let status = fleet.run(&["fleet", "status", "tenants", "--each"], 0);
    assert!(status.contains("16  beta/1") && status.contains("16 up to date."), "{status}");
    assert!(fleet.run(&["fleet", "rollback", "tenants", "--steps", "1"], 0).contains("16 rolled back"));
    let runs = fleet.json(&["fleet", "runs", "--fleet", "tenants"], 0);
    assert_eq!(runs.as_array().map(Vec::len), Some(2));
    let unknown = run(&mut fleet.work.profe_at(&fleet.url), &["fleet", "run", "nobody"]).err(2);
    assert!(unknown.contains("there is no fleet \"nobody\"") && unknown.contains("tenants"), "{unknown}");
}

#[test]
fn killed_in_the_middle_it_goes_on_and_accounts_for_every_database() {
    let fleet = Fleet::new();
    let begun = Instant::now();
    fleet.run(&["fleet", "run", "tenants"], 0);
    let whole = begun.elapsed();
    fleet.run(&["fleet", "rollback", "tenants", "--to", "0", "--per-server", "8"], 0);
    let seed = seed();
    let mut to_resume: Option<String> = None;
    for after in moments(seed, KILLS, whole) {
        match &to_resume {
            None => fleet.kill(&["fleet", "run", "tenants"], after),
            Some(id) => fleet.kill(&["fleet", "resume", id], after),
        }
        let newest = fleet.json(&["fleet", "runs", "--limit", "1"], 0)[0].clone();
        let ended = newest["state"].as_str().expect("a state");
        assert!(["interrupted", "completed"].contains(&ended), "seed {seed}: {newest}");
        to_resume = (ended == "interrupted").then(|| newest["runId"].as_str().expect("an id").to_owned());
    }
    let end = match &to_resume {
        None => fleet.json(&["fleet", "run", "tenants"], 0),
        Some(id) => fleet.json(&["fleet", "resume", id], 0),
    };
    assert_eq!((&end["state"], &end["done"]), (&"completed".into(), &DATABASES.into()), "seed {seed}: {end}");
    for database in &fleet.databases {
        let applied = "select count(*) from migration_service.history where rolled_back_at is null";
        assert_eq!(block_on(database.value(applied)).as_deref(), Some("1"), "seed {seed}");
        assert_eq!(block_on(database.value("select count(*) from beta.t")).as_deref(), Some("0"), "seed {seed}");
    }
}
