//! Behind PgBouncer: what keeps sessions is worked through, what does not is refused before anything is changed.

use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use testkit::{TestDb, block_on, server};

use crate::support::{Running, Workplace, as_nobody, client, free_port, is_root, open_folder, run, until};

/// PgBouncer takes no startup options, unless it is told to drop them.
const DROPS_OPTIONS: &str = "ignore_startup_parameters = options";
const REFUSES_OPTIONS: &str = "";

/// A PgBouncer in front of the tests' server, for all of its databases.
struct Pooler {
    running: Option<Running>,
    port: u16,
    /// Holds its configuration.
    _folder: tempfile::TempDir,
}

impl Pooler {
    fn start(mode: &str, settings: &str) -> Self {
        let (folder, port) = (open_folder(), free_port());
        let url = reqwest::Url::parse(&server().url("postgres")).expect("a URL");
        let users = folder.path().join("users");
        std::fs::write(&users, format!("\"{}\" \"{}\"\n", url.username(), url.password().unwrap_or_default()))
            .expect("our own folder");
        let ini = folder.path().join("pgbouncer.ini");
        let (host, server_port) = (url.host_str().expect("a host"), url.port().expect("a port"));
        let text = format!(
            "[databases]\n* = host={host} port={server_port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = plain\nauth_file = {}\npool_mode = {mode}\nserver_login_retry = 1\n{settings}\n",
            users.display()
        );
        std::fs::write(&ini, text).expect("our own folder");
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("pgbouncer");
        command.env("PATH", path).arg(&ini);
        if is_root() {
            as_nobody(&mut command);
        }
        let mut running = Running::start(&mut command, &[]);
        running.wait_for_error("process up");
        Self { running: Some(running), port, _folder: folder }
    }

    /// The database as it is reached through this.
    fn url(&self, database: &TestDb) -> String {
        let mut url = reqwest::Url::parse(&database.url()).expect("a URL");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(self.port)).expect("a port");
        url.to_string()
    }

    fn profe(&self, place: &Workplace) -> Command {
        place.profe_at(&self.url(&place.database))
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // It may have ended by itself, which its last words then tell.
            let _ = rustix::process::kill_process(running.pid(), Signal::TERM);
            let (status, _, said) = running.end();
            if std::thread::panicking() {
                // Nobody is left to be told that this cannot be written.
                let _ = writeln!(std::io::stderr(), "pgbouncer: {status}\n{said}");
            }
        }
    }
}

/// A table that tells which settings its migration ran with.
fn workplace() -> Workplace {
    let place = Workplace::new();
    let up = "create table alpha.t (id int primary key);\n\
              create table alpha.day as select date '2026-02-01'::text as text;";
    place.project.migration("alpha/1_create_t", up, "drop table alpha.t, alpha.day;");
    // What a run must not be reached by, and what an application must keep.
    place.value(&format!("alter database \"{}\" set datestyle = 'German'", place.database.name()));
    place
}

fn advisory_locks(place: &Workplace) -> Option<String> {
    place.value(
        "select count(*)::text from pg_locks where locktype = 'advisory' \
         and database = (select oid from pg_database where datname = current_database())",
    )
}

fn works(settings: &str) {
    let pooler = Pooler::start("session", settings);
    let place = workplace();
    let profe = |arguments: &[&str]| run(&mut pooler.profe(&place), arguments).ok(0);
    assert!(profe(&["migrate", "status"]).contains("1 migration pending"));
    assert!(run(&mut pooler.profe(&place), &["migrate", "plan"]).ok(3).contains("1 migration would be applied"));
    profe(&["migrate", "validate"]);
    profe(&["migrate", "run"]);
    assert_eq!(place.value("select text from alpha.day").as_deref(), Some("2026-02-01"));
    assert!(profe(&["migrate", "run"]).contains("Nothing to do"));
    profe(&["migrate", "rollback", "-n", "1"]);
    assert_eq!(place.value("select to_regclass('alpha.t')::text"), None);
    profe(&["migrate", "run"]);
    profe(&["db", "drift"]);
    assert_eq!(advisory_locks(&place).as_deref(), Some("0"));
    // The pooler's next client has the server's own settings back.
    let session = block_on(async {
        let connect = postgres_link::ConnectOptions::parse(&pooler.url(&place.database)).expect("options");
        let session = postgres_link::connect(&connect).await.expect("a session");
        session.batch("select date '2026-02-01'::text").await.expect("an answer")
    });
    assert_eq!(session.value(0, 0), Some("01.02.2026"));
}

#[test]
fn one_that_keeps_sessions_is_worked_through() {
    works(REFUSES_OPTIONS);
}

#[test]
fn one_that_drops_startup_options_is_given_them_again() {
    works(DROPS_OPTIONS);
}

#[test]
fn behind_one_that_keeps_sessions_blockers_are_named_and_ctrl_c_ends_the_statement() {
    let pooler = Pooler::start("session", REFUSES_OPTIONS);
    let place = workplace();
    run(&mut pooler.profe(&place), &["migrate", "run"]).ok(0);
    // Long enough for the guard to look who is in the way.
    let settings = place.project.read("config/services.toml");
    place.project.write("config/services.toml", &settings.replace("lock_timeout_ms = 150", "lock_timeout_ms = 1000"));
    place.project.migration("alpha/2_widen", "alter table alpha.t add note text;", "alter table alpha.t drop note;");
    block_on(async {
        let holder = place.database.session().await;
        holder.batch("set application_name = 'the one in the way'; begin; lock table alpha.t").await.expect("a lock");
        let said = run(&mut pooler.profe(&place), &["migrate", "run"]).err(4);
        assert!(said.contains("the one in the way") && said.contains(&holder.backend_pid().to_string()), "{said}");
        holder.batch("rollback").await.expect("an end");
    });
    place.project.migration("alpha/2_widen", "select pg_sleep(600);", "select 1;");
    let mut second = Running::start(&mut pooler.profe(&place), &["migrate", "run", "--output", "json"]);
    second.wait_for("migration_started");
    let sleeps = "select count(*) = 1 from pg_stat_activity where datname = current_database() \
                  and pid <> pg_backend_pid() and state = 'active' and query like '%pg_sleep(600)%'";
    until(&place.database, sleeps);
    let (status, lines, said) = second.interrupt();
    assert_eq!(status.code(), Some(130), "{lines:#?}\n{said}");
    until(&place.database, &sleeps.replace("= 1", "= 0"));
    assert_eq!(place.value("select count(*)::text from migration_service.history").as_deref(), Some("1"));
}

#[test]
fn behind_one_that_keeps_sessions_the_statement_of_a_killed_run_is_ended_by_the_next() {
    let pooler = Pooler::start("session", REFUSES_OPTIONS);
    let place = workplace();
    run(&mut pooler.profe(&place), &["migrate", "run"]).ok(0);
    place.project.migration("alpha/2_sleep", "select pg_sleep(600);", "select 1;");
    let mut first = Running::start(&mut pooler.profe(&place), &["migrate", "run", "--output", "json"]);
    first.wait_for("migration_started");
    let sleeps = "select count(*) = 1 from pg_stat_activity where datname = current_database() \
                  and pid <> pg_backend_pid() and state = 'active' and query like '%pg_sleep(600)%'";
    until(&place.database, sleeps);
    first.signal(Signal::KILL);
    first.end();
    run(&mut pooler.profe(&place), &["migrate", "rollback", "-n", "1"]).ok(0);
    until(&place.database, &sleeps.replace("= 1", "= 0"));
    assert_eq!(place.value("select to_regclass('alpha.t')::text"), None);
}

#[test]
fn a_backup_is_made_and_verified_behind_one_that_keeps_sessions() {
    let pooler = Pooler::start("session", REFUSES_OPTIONS);
    let place = workplace();
    run(&mut pooler.profe(&place), &["migrate", "run"]).ok(0);
    let backup = |arguments: &[&str]| {
        let mut command = pooler.profe(&place);
        command.env("MIGRATION_SERVICE_BACKUP_STORAGE", place.folder.path().join("copies"));
        run(command.args(["--output", "json", "backup"]), arguments).ok(0)
    };
    let made: serde_json::Value = serde_json::from_str(&backup(&["create"])).expect("JSON");
    let verified = backup(&["verify", made["backupId"].as_str().expect("an id")]);
    assert!(verified.contains("\"verified\""), "{verified}");
}

#[test]
fn a_pool_with_too_few_sessions_is_said_to_be_full() {
    let pooler = Pooler::start("session", "default_pool_size = 1");
    let place = workplace();
    let said = run(&mut pooler.profe(&place), &["migrate", "run"]).err(6);
    assert!(said.contains("had no session of it within") && said.contains("default_pool_size"), "{said}");
    assert_eq!(place.value("select to_regnamespace('migration_service')::text"), None);
}

/// Every command, each before it has changed anything.
fn refused(mode: &str, settings: &str) {
    let pooler = Pooler::start(mode, settings);
    let place = workplace();
    let nothing = |place: &Workplace| place.value("select to_regnamespace('migration_service')::text");
    let said = |arguments: &[&str]| {
        let mut command = pooler.profe(&place);
        command.env("MIGRATION_SERVICE_BACKUP_STORAGE", place.folder.path().join("copies"));
        let said = run(&mut command, arguments).err(6);
        assert!(said.contains("gives each transaction another of its sessions"), "{arguments:?}: {said}");
        assert!(said.contains("Give the server's own address"), "{arguments:?}: {said}");
        said
    };
    assert!(said(&["migrate", "run"]).contains("error[transaction_pooler]"));
    assert_eq!(nothing(&place), None);
    run(&mut place.profe(), &["migrate", "run"]).ok(0);
    place.project.migration("alpha/2_more", "create table alpha.u ();", "drop table alpha.u;");
    for arguments in [
        &["migrate", "run"][..],
        &["migrate", "run", "--dry-run"],
        &["migrate", "rollback", "-n", "1"],
        &["migrate", "validate"],
        &["seeds", "run"],
        &["db", "drift"],
        &["backup", "create"],
    ] {
        said(arguments);
    }
    assert_eq!(place.value("select to_regclass('alpha.u')::text"), None);
    assert_eq!(place.value("select count(*)::text from migration_service.history").as_deref(), Some("1"));
    assert_eq!(advisory_locks(&place).as_deref(), Some("0"));
    let doctor = run(&mut pooler.profe(&place), &["doctor"]).ok(1);
    assert!(doctor.contains("gives each transaction another of its sessions"), "{doctor}");
}

#[test]
fn one_that_keeps_no_sessions_is_refused_before_anything_is_changed() {
    refused("transaction", REFUSES_OPTIONS);
}

#[test]
fn one_that_keeps_no_sessions_is_refused_also_where_it_drops_startup_options() {
    refused("transaction", DROPS_OPTIONS);
}

#[test]
fn one_that_keeps_no_transactions_is_refused() {
    refused("statement", DROPS_OPTIONS);
}

/// Who asks next gets another process than who asked before, so one look would not tell.
#[test]
fn one_that_hands_out_its_sessions_in_turn_is_refused() {
    let pooler = Pooler::start("transaction", "server_round_robin = 1\nignore_startup_parameters = options");
    let place = workplace();
    for waiting in 1..=4 {
        // As many at once as there shall be in the pool.
        block_on(async {
            let connect = postgres_link::ConnectOptions::parse(&pooler.url(&place.database)).expect("options");
            let mut held = Vec::new();
            for _ in 0..waiting {
                let session = postgres_link::connect(&connect.clone().through_any_pooler()).await.expect("a session");
                session.batch("begin; select 1").await.expect("a process");
                held.push(session);
            }
            for session in &held {
                session.batch("commit").await.expect("its end");
            }
        });
        let said = run(&mut pooler.profe(&place), &["migrate", "run"]).err(6);
        assert!(said.contains("error[transaction_pooler]"), "{waiting}: {said}");
    }
    assert_eq!(place.value("select to_regnamespace('migration_service')::text"), None);
}

#[test]
fn the_master_database_may_stand_behind_one_that_keeps_no_sessions() {
    let pooler = Pooler::start("transaction", REFUSES_OPTIONS);
    let place = workplace();
    let master = block_on(server().empty_database());
    let with_master = |mut command: Command| {
        command.env("MIGRATION_SERVICE_MASTER_DB_URL", pooler.url(&master));
        command
    };
    run(&mut with_master(place.profe()), &["migrate", "run"]).ok(0);
    let runs = "select string_agg(state, ',') from migration_service.run";
    assert_eq!(block_on(master.value(runs)).as_deref(), Some("completed"));

    let port = free_port();
    place.project.migration("alpha/2_more", "create table alpha.u ();", "drop table alpha.u;");
    let mut command = with_master(place.profe());
    command.env("MIGRATION_SERVICE_PORT", port.to_string());
    let mut serve = Running::start(&mut command, &["serve", "--only", "migration-service", "--output", "json"]);
    serve.wait_for("\"ready\":true");
    let events = client().get(format!("http://localhost:{port}/api/events")).send().expect("events");
    let asked = client().post(format!("http://localhost:{port}/api/migrations/run")).json(&serde_json::json!({}));
    assert!(asked.send().expect("an answer").status().is_success());
    let give_up = Instant::now() + Duration::from_mins(1);
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(events));
    let done =
        lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("run_ended") || Instant::now() > give_up));
    assert!(done.is_some() && Instant::now() < give_up, "nobody heard of the run's end");
    until(&master, "select count(*) = 2 from migration_service.run where state = 'completed'");
    assert_eq!(serve.interrupt().0.code(), Some(0));
    assert_eq!(place.value("select to_regclass('alpha.u')::text").as_deref(), Some("alpha.u"));
}
