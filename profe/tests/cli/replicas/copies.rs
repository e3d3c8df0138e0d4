//! Copies of the service on one master database, and a project whose migrations last until somebody opens a gate.

use rustix::process::Signal;
use serde_json::{Value, json};
use testkit::{TestDb, block_on, server};

use crate::support::{Running, Workplace, client, free_port, until};

/// Something of a run sleeps in the database.
pub(super) const SLEEPS: &str =
    "select true from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";

/// Lasts until the gate is open on the way there, …
const WAITS: &str = "select pg_sleep(case when exists (select from alpha.gate where open) then 0 else 600 end);\n";
/// … or on the way back.
const WAITS_BACK: &str =
    "select pg_sleep(case when exists (select from alpha.gate where not open) then 0 else 600 end);\n";

/// The project, its database, and whoever serves them.
pub(super) struct Copies {
    pub(super) place: Workplace,
}

impl Copies {
    pub(super) fn new() -> Self {
        let place = Workplace::new();
        place.project.migration("alpha/1_gate", "create table alpha.gate (open bool);", "drop table alpha.gate;");
        place.project.migration(
            "alpha/2_wait",
            &format!("{WAITS}create table alpha.t (id int);"),
            &format!("drop table alpha.t;\n{WAITS_BACK}"),
        );
        place.project.migration("alpha/3_more", "create table alpha.u (id int);", "drop table alpha.u;");
        Self { place }
    }

    /// With a seed that ends and one that waits for the gate.
    pub(super) fn with_seeds() -> Self {
        let copies = Self::new();
        copies.place.project.write("seeds/alpha/10_first.sql", "delete from alpha.t; insert into alpha.t values (1);");
        let second = format!("{WAITS}insert into alpha.u select 2 where not exists (select from alpha.u);");
        copies.place.project.write("seeds/alpha/20_second.sql", &second);
        copies
    }

    /// Everything is applied, and the gate is shut again.
    pub(super) fn applied(self) -> Self {
        let run = |arguments: &[&str]| crate::support::run(&mut self.place.profe(), arguments).ok(0);
        run(&["migrate", "run", "--to", "alpha/1"]);
        self.open_the_gate();
        run(&["migrate", "run"]);
        self.place.value("delete from alpha.gate");
        self
    }

    /// Starts a copy; answers it with its port.
    pub(super) fn start(&self, grace: &str) -> (Running, u16) {
        self.start_at(&self.database().url(), grace)
    }

    /// The same as another user.
    pub(super) fn start_at(&self, url: &str, grace: &str) -> (Running, u16) {
        let port = free_port();
        let mut command = self.place.profe_at(url);
        command
            .env("MIGRATION_SERVICE_PORT", port.to_string())
            .env("MIGRATION_SERVICE_RUN_GRACE", grace)
            .env("MIGRATION_SERVICE_BACKUP_STORAGE", self.place.folder.path().join("copies"));
        let mut serving = Running::start(&mut command, &["serve", "--only", "migration-service", "--output", "json"]);
        serving.wait_for("\"ready\":true");
        (serving, port)
    }

    /// Asks a copy for something, and waits until it sleeps; answers its id.
    pub(super) fn ask_and_wait(&self, port: u16, path: &str, body: &Value) -> String {
        let answer = post(port, path, body);
        self.until(SLEEPS);
        answer["migrationId"].as_str().unwrap_or_else(|| panic!("no id: {answer}")).to_owned()
    }

    pub(super) fn until(&self, query: &str) {
        until(&self.place.database, query);
    }

    pub(super) fn open_the_gate(&self) {
        self.place.value("insert into alpha.gate values (true)");
    }

    pub(super) fn open_the_way_back(&self) {
        self.place.value("insert into alpha.gate values (false)");
    }

    /// Ends what sleeps on the server, as it ends by itself in the end.
    pub(super) fn end_sleepers(&self) {
        self.place.value(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity \
             where datname = current_database() and wait_event = 'PgSleep'",
        );
    }

    /// Waits until a run has gone on with this one, to its end; answers both as a copy shows them.
    pub(super) fn continued(&self, port: u16, id: &str) -> (Value, Value) {
        self.until(&format!(
            "select true from migration_service.run o join migration_service.run n on n.id = o.continued_by \
             where o.id = '{id}' and n.state = 'completed'"
        ));
        let old = run_at(port, id);
        let new = run_at(port, old["continuedBy"].as_str().expect("a run"));
        (old, new)
    }

    /// Waits until a run is interrupted and says what it did; answers that as a copy shows it.
    pub(super) fn told(&self, port: u16, id: &str) -> Value {
        self.until(&format!(
            "select true from migration_service.run where id = '{id}' and state = 'interrupted' and report is not null"
        ));
        run_at(port, id)
    }

    pub(super) fn assert_whole(&self) {
        let applied = self.place.value("select string_agg(name, ' ' order by id) from migration_service.history");
        assert_eq!(applied.as_deref(), Some("gate wait more"), "each once");
        assert_eq!(self.place.value("select to_regclass('alpha.u')::text").as_deref(), Some("alpha.u"));
        assert_eq!(self.place.value(&format!("select count(*) from ({SLEEPS}) s")).as_deref(), Some("0"));
    }

    pub(super) fn database(&self) -> &TestDb {
        &self.place.database
    }

    /// Locks a table until it is let go, so that whoever reads it waits.
    pub(super) fn lock(&self, table: &'static str) -> Held<'_> {
        let name = self.database().name().to_owned();
        let holding = std::thread::spawn(move || {
            let hold = format!(
                "do $$ begin lock {table} in access exclusive mode; \
                 while not exists (select from pg_class where relname = 'let_go') loop perform pg_sleep(0.02); end loop; end $$"
            );
            block_on(async { server().session(&name).await.batch(&hold).await.map(drop) })
        });
        self.until(&format!(
            "select true from pg_locks where granted and relation = '{table}'::regclass and mode = 'AccessExclusiveLock'"
        ));
        Held { copies: self, holding }
    }
}

/// A lock on a table.
pub(super) struct Held<'a> {
    copies: &'a Copies,
    holding: std::thread::JoinHandle<Result<(), postgres_link::BatchError>>,
}

impl Held<'_> {
    pub(super) fn let_go(self) {
        self.copies.place.value("create table public.let_go ()");
        self.holding.join().expect("no panic").expect("it held");
        self.copies.place.value("drop table public.let_go");
    }
}

/// `kill -9`, and nothing else of it is waited for.
pub(super) fn kill(copy: Running) {
    copy.signal(Signal::KILL);
    copy.end();
}

pub(super) fn run_at(port: u16, id: &str) -> Value {
    get(port, &format!("/api/migrations/runs/{id}"))
}

pub(super) fn get(port: u16, path: &str) -> Value {
    client().get(format!("http://127.0.0.1:{port}{path}")).send().expect("an answer").json().expect("JSON")
}

/// What is to be done about the first restore of a backup, which is shown as interrupted.
#[track_caller]
pub(super) fn cure_of_interrupted_restore(port: u16, backup: &str) -> String {
    let shown = get(port, &format!("/api/backup/{backup}"));
    let restore = &shown["restores"][0];
    assert_eq!(
        (&restore["status"], &restore["error"]["code"]),
        (&json!("interrupted"), &json!("interrupted")),
        "{shown}"
    );
    restore["error"]["cure"].as_str().unwrap_or_else(|| panic!("no cure: {shown}")).to_owned()
}

/// Asks for something that goes on by itself.
#[track_caller]
pub(super) fn post(port: u16, path: &str, body: &Value) -> Value {
    let answer = client().post(format!("http://127.0.0.1:{port}{path}")).json(body).send().expect("an answer");
    let status = answer.status();
    let answer: Value = answer.json().expect("JSON");
    assert_eq!(status, 202, "{answer}");
    answer
}

/// Asks for something and waits until it is done.
#[track_caller]
pub(super) fn post_and_wait(port: u16, path: &str, mut body: Value) -> Value {
    body["wait"] = json!(true);
    let answer = client().post(format!("http://127.0.0.1:{port}{path}")).json(&body).send().expect("an answer");
    let status = answer.status();
    let answer: Value = answer.json().expect("JSON");
    assert_eq!(status, 200, "{answer}");
    answer
}
