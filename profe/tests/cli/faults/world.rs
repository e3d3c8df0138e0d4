//! A fleet on a server of its own, reached directly or through a line that breaks, and what must be true of it in the end.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::faults::{OwnServer, Proxy};

use crate::support::{DEADLINE, Done, Running, Workplace, run};

/// The migrations of the fleet's service: a transaction, one that cannot be one, and code.
const MIGRATIONS: [(&str, &str, &str); 3] = [
    (
        "1_create_t",
        "create table beta.t (id int primary key, title text not null);\ninsert into beta.t select n, 'row ' || n from generate_series(1, 500) n;",
        "drop table beta.t;",
    ),
    ("2_index_t", "create index concurrently t_title on beta.t (title);", "drop index concurrently beta.t_title;"),
    (
        "3_create_u",
        "create table beta.u (id int references beta.t);\ncreate function beta.f() returns int language sql as 'select 1';",
        "drop function beta.f();\ndrop table beta.u;",
    ),
];
/// A session on the line notices within this that nobody answers.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// All of a schema that migrations make, in one text.
const SHAPE: &str = "select string_agg(line, E'\\n' order by line) from ( \
    select c.relkind::text || ' ' || c.relname || ' ' || coalesce(string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) \
        || ' ' || a.attnotnull, ',' order by a.attnum), '') || coalesce((select ' valid ' || i.indisvalid from pg_index i \
        where i.indexrelid = c.oid), '') as line \
      from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 \
      where c.relnamespace = 'beta'::regnamespace group by c.oid, c.relkind, c.relname \
    union all select 'f ' || proname from pg_proc where pronamespace = 'beta'::regnamespace) lines";
/// What the service calls its sessions.
const OURS: &str = "application_name like 'profe%' and datname like 'tenant_%'";

/// Databases `tenant_0`, `tenant_1` and so on, as the fleet `tenants`; the master database is on the tests' common server.
pub struct Fleet {
    pub server: OwnServer,
    pub work: Workplace,
    size: usize,
    /// Its server, as the program sees it.
    url: String,
    master: String,
}

impl Fleet {
    pub fn on(server: OwnServer, size: usize) -> Self {
        let work = Workplace::new();
        let names: Vec<String> = (0..size).map(|n| format!("tenant_{n}")).collect();
        for name in &names {
            server.value(&format!("create database {name}"));
        }
        let catalogue = work.project.read("config/services.toml");
        let fleet = format!(
            "{catalogue}\n[fleets.tenants]\nservice = \"beta-service\"\nenvironment = \"development\"\n\
             servers = [\"TENANTS_URL\"]\ndatabases = {names:?}\ncanary = 1\nwave = {size}\nper_server = 3\nfailure_budget = \"100%\"\n"
        );
        work.project.write("config/services.toml", &fleet);
        for (name, up, down) in MIGRATIONS {
            work.project.migration(&format!("beta/{name}"), up, down);
        }
        let (url, master) = (server.url("postgres"), work.database.url());
        Self { server, work, size, url, master }
    }

    /// Its databases are reached through this line from now on.
    pub fn through(&mut self, line: &Proxy) {
        self.url = patient(&line.url(&self.server.url("postgres")));
    }

    /// Its master database is.
    pub fn master_through(&mut self, line: &Proxy) {
        self.master = patient(&line.url(&self.work.database.url()));
    }

    pub fn profe(&self) -> Command {
        let mut command = self.work.profe_at(&self.master);
        command.env("TENANTS_URL", &self.url);
        command
    }

    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::start(&mut self.profe(), arguments)
    }

    pub fn run(&self, arguments: &[&str]) -> Done {
        run(&mut self.profe(), arguments)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let out = self.run(&[arguments, &["--output", "json"]].concat()).ok(0);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// The newest run.
    pub fn newest(&self) -> Value {
        self.json(&["fleet", "runs", "--limit", "1"])[0].clone()
    }

    /// The command that goes on: with the newest run where it left something to do, otherwise with a new one.
    pub fn next(&self) -> Vec<String> {
        let newest = self.newest();
        let whole = newest["done"] == newest["targets"];
        let words: &[&str] = match (newest["runId"].as_str(), newest["kind"].as_str(), whole) {
            (Some(id), _, false) => &["fleet", "resume", id],
            (Some(_), Some("run"), true) => &["fleet", "rollback", "tenants", "--to", "0"],
            _ => &["fleet", "run", "tenants"],
        };
        words.iter().map(ToString::to_string).collect()
    }

    /// Goes on until every database has had its turn, and everything is applied.
    pub fn finish(&self) {
        for _ in 0..4 {
            let newest = self.newest();
            if newest["kind"] == "run" && newest["state"] == "completed" && newest["done"] == newest["targets"] {
                return;
            }
            let next = match self.next() {
                next if next[1] == "rollback" => vec!["fleet".to_owned(), "run".to_owned(), "tenants".to_owned()],
                next => next,
            };
            self.run(&next.iter().map(String::as_str).collect::<Vec<_>>()).ok(0);
        }
        panic!("it does not come to an end: {}", self.newest());
    }

    /// Why the first database failed that did in the newest run.
    pub fn newest_failure(&self) -> Value {
        let newest = self.newest();
        let told = self.json(&["fleet", "runs", newest["runId"].as_str().expect("a run")]);
        let targets = told["targets"].as_array().expect("a list");
        let failed = targets.iter().find(|target| target["state"] == "failed").expect("one failed");
        failed["error"].clone()
    }

    /// Whatever failed in the newest run says so in a sentence, and what to do.
    pub fn assert_failures_are_told(&self) {
        let newest = self.newest();
        let Some(id) = newest["runId"].as_str() else { return };
        let told = self.json(&["fleet", "runs", id]);
        for target in told["targets"].as_array().expect("a list") {
            if target["state"] == "failed" {
                let (message, cure) = (target["error"]["message"].as_str(), target["error"]["cure"].as_str());
                let told = message.is_some_and(|text| !text.is_empty() && !text.contains('\n'))
                    && cure.is_some_and(|text| !text.is_empty());
                assert!(told, "{target}");
            }
        }
    }

    /// Everything is applied everywhere, once, on record, and nothing is left behind.
    pub fn assert_whole(&self) {
        let newest = self.newest();
        assert_eq!((&newest["state"], &newest["done"]), (&"completed".into(), &self.size.into()), "{newest}");
        let unfinished = "select count(*) from migration_service.fleet_run where state = 'running'";
        assert_eq!(self.work.value(unfinished).as_deref(), Some("0"), "every run is accounted for");
        let shapes: Vec<Option<String>> = self.each(SHAPE);
        assert!(shapes[0].as_deref().is_some_and(|shape| shape.contains("t_title") && !shape.contains("valid false")));
        assert!(shapes.iter().all(|shape| *shape == shapes[0]), "{shapes:#?}");
        for (what, sql, wanted) in [
            (
                "each migration counts once",
                "select string_agg(version::text, ' ' order by version) from migration_service.history where rolled_back_at is null",
                "1 2 3",
            ),
            ("all rows are there", "select count(*) from beta.t", "500"),
            ("no statement is in doubt", "select count(*) from migration_service.journal", "0"),
            ("no failure is left", "select count(*) from migration_service.failure", "0"),
            (
                // The seal tells of its migrations, from the history.
                "the audit has each run that the history has",
                "select count(*) from migration_service.history h where not exists (select from migration_service.audit_entry a \
                 where a.event = 'run' and a.run_id = h.run_id)",
                "0",
            ),
            (
                "and nothing that did not come through the service",
                "select count(*) from migration_service.audit_entry where not via_service",
                "0",
            ),
        ] {
            for (n, value) in self.each(sql).into_iter().enumerate() {
                assert_eq!(value.as_deref(), Some(wanted), "tenant_{n}: {what}");
            }
        }
        self.assert_nothing_left_behind();
    }

    /// No session, no lock, no prepared transaction, no half-made database.
    pub fn assert_nothing_left_behind(&self) {
        self.server.until(&format!(
            "select not exists (select from pg_stat_activity where {OURS}) \
             and not exists (select from pg_locks where locktype = 'advisory') \
             and not exists (select from pg_prepared_xacts)"
        ));
        let databases = format!(
            "select count(*) = {} from pg_database where not datistemplate and datname <> 'postgres'",
            self.size
        );
        self.server.until(&databases);
    }

    fn each(&self, sql: &str) -> Vec<Option<String>> {
        (0..self.size).map(|n| self.server.value_in(&format!("tenant_{n}"), sql)).collect()
    }
}

/// Somebody who waits for an answer on this line gives up soon.
pub fn patient(url: &str) -> String {
    format!("{url}&tcp_user_timeout={}", PATIENCE.as_millis())
}

/// Waits until it is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let give_up = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < give_up, "waited in vain: {what}");
    }
}
