//! Each part in a process of its own, two copies of each, on one database; the same days as on `profe up`, and copies that die.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

use rustix::process::Signal;
use serde_json::Value;
use testkit::{TestDb, block_on, server, service_url};

use super::flows;
use super::load::Load;
use super::school::School;
use crate::support::{Running, open_folder, profe, run, until};

const MIGRATIONS: &str = "migration-service";
const AUTH: &str = "auth-service";
const GATEWAY: &str = "api-gateway";
/// Name, what its variables begin with, and the role that it signs in to the database as.
const DOMAINS: [(&str, &str, &str); 3] = [
    (AUTH, "AUTH_SERVICE", "auth_service"),
    ("user-service", "USER_SERVICE", "users_service"),
    ("organization-service", "ORGANIZATION_SERVICE", "organizations_service"),
];

/// From now on who has written a person or a school asks at the commit whether it may go on.
const GATE: &str = "CREATE FUNCTION public.at_the_gate() RETURNS trigger LANGUAGE plpgsql AS \
     $$ BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NULL; END $$; \
     CREATE CONSTRAINT TRIGGER gate AFTER INSERT OR UPDATE ON users.members \
     DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.at_the_gate(); \
     CREATE CONSTRAINT TRIGGER gate AFTER INSERT OR UPDATE ON organizations.organizations \
     DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.at_the_gate()";
/// As many as there are people who write.
const WRITERS_WAIT: &str =
    "SELECT count(*) >= 8 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";

/// All processes of a platform.
struct Platform {
    database: TestDb,
    folder: tempfile::TempDir,
    parts: Vec<Part>,
}

/// A process that serves one part.
struct Part {
    name: &'static str,
    /// What names its port.
    port_variable: String,
    /// Where it listens, also when it comes back.
    url: String,
    variables: Vec<(String, String)>,
    running: Option<Running>,
}

impl Platform {
    /// Migrates and seeds a database, and starts two copies of each part, those first that others ask.
    fn start(routes: Option<&str>) -> Self {
        let database = block_on(server().empty_database());
        let folder = open_folder();
        for command in [["migrate", "run"], ["seeds", "run"]] {
            run(profe(folder.path()).env("DATABASE_URL", database.url()), &command).ok(0);
        }
        let mut platform = Self { database, folder, parts: Vec::new() };
        let own = vec![
            ("DATABASE_URL".to_owned(), platform.database.url()),
            ("MIGRATION_SERVICE_WATCH_INTERVAL".to_owned(), "off".to_owned()),
        ];
        platform.two_of(MIGRATIONS, "MIGRATION_SERVICE", &own);
        for (name, prefix, role) in DOMAINS {
            let mut own = vec![
                (format!("{prefix}_DB_URL"), block_on(service_url(&platform.database, role))),
                (format!("{prefix}_MIGRATION_SERVICE"), platform.places(MIGRATIONS)),
                ("MAIL_FOLDER".to_owned(), platform.mail().display().to_string()),
            ];
            own.push(if name == AUTH {
                ("AUTH_SERVICE_JWT_SECRET".to_owned(), "a-secret-that-all-copies-share-for-tests".to_owned())
            } else {
                ("AUTH_SERVICE_URL".to_owned(), platform.places(AUTH))
            });
            platform.two_of(name, prefix, &own);
        }
        let names = [MIGRATIONS].into_iter().chain(DOMAINS.map(|(name, ..)| name));
        let word = |name: &str| format!("API_GATEWAY_{}", name.replace('-', "_").to_ascii_uppercase());
        let mut own: Vec<_> = names.map(|name| (word(name), platform.places(name))).collect();
        own.push(("AUTH_SERVICE_URL".to_owned(), platform.places(AUTH)));
        own.extend(routes.map(|routes| {
            let file = platform.folder.path().join("routes.toml");
            std::fs::write(&file, routes).expect("our own folder");
            ("API_GATEWAY_ROUTES".to_owned(), file.display().to_string())
        }));
        platform.two_of(GATEWAY, "API_GATEWAY", &own);
        platform
    }

    /// Starts both, then waits for both: they are made to start side by side.
    fn two_of(&mut self, name: &'static str, prefix: &str, variables: &[(String, String)]) {
        let port_variable = format!("{prefix}_PORT");
        let new = || Part {
            name,
            port_variable: port_variable.clone(),
            url: String::new(),
            variables: variables.to_vec(),
            running: None,
        };
        let mut two = [new(), new()];
        for part in &mut two {
            part.start(self.folder.path(), "0");
        }
        for part in &mut two {
            part.ready();
        }
        self.parts.extend(two);
    }

    /// The addresses of both copies, as a deployment without names would list them.
    fn places(&self, name: &str) -> String {
        self.all(name).map(|part| part.url.as_str()).collect::<Vec<_>>().join(",")
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Part> {
        self.parts.iter().filter(move |part| part.name == name)
    }

    fn part(&mut self, name: &str, copy: usize) -> &mut Part {
        self.parts.iter_mut().filter(|part| part.name == name).nth(copy).expect("two of each")
    }

    fn mail(&self) -> PathBuf {
        self.folder.path().join("mail")
    }

    /// What runs at the moment.
    fn school(&self) -> School {
        let alive = self.parts.iter().filter(|part| part.running.is_some());
        School::of(alive.map(|part| (part.name.to_owned(), part.url.clone())), self.mail())
    }

    /// Ends a copy, and gives what it had said in its log.
    fn end(&mut self, name: &str, copy: usize, signal: Signal) -> String {
        let running = self.part(name, copy).running.take().expect("it runs");
        running.signal(signal);
        let (status, _, errors) = running.end();
        assert_eq!(status.code(), (signal == Signal::TERM).then_some(0), "{name}: {errors}");
        errors
    }

    /// The same copy at the same place.
    fn again(&mut self, name: &str, copy: usize) {
        let folder = self.folder.path().to_owned();
        let part = self.part(name, copy);
        let port = part.url.rsplit(':').next().expect("a port").to_owned();
        part.start(&folder, &port);
        part.ready();
    }

    /// A token of the migration service.
    fn operator(&self) -> String {
        let mut command = profe(self.folder.path());
        command.env("DATABASE_URL", self.database.url());
        let made =
            run(&mut command, &["token", "create", "--name", "carga", "--scopes", "read", "--output", "json"]).ok(0);
        let made: Value = serde_json::from_str(&made).expect("JSON");
        made["token"].as_str().unwrap_or_else(|| panic!("no token in {made}")).to_owned()
    }

    /// Whether every front door that is open has both copies of each part behind it.
    fn is_whole(&self, load: &Load) -> bool {
        let all = [MIGRATIONS].into_iter().chain(DOMAINS.map(|(name, ..)| name));
        let names: Vec<_> = all.collect();
        self.all(GATEWAY).filter(|part| part.running.is_some()).all(|gateway| {
            let status = load.status(&gateway.url);
            let services = status["services"].as_array().expect("services").iter();
            let usable =
                services.filter(|service| names.iter().any(|name| service["name"] == **name) && service["usable"] == 2);
            usable.count() == names.len()
        })
    }
}

impl Part {
    fn start(&mut self, folder: &Path, port: &str) {
        let mut command = profe(folder);
        command.env("MIGRATION_SERVICE_LOG_LEVEL", "warn").env(&self.port_variable, port);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        self.running = Some(Running::start(&mut command, &["serve", "--only", self.name, "--output", "json"]));
    }

    /// Waits until it serves.
    fn ready(&mut self) {
        let running = self.running.as_mut().expect("it was started");
        let line = running.wait_for("\"ready\":true").pop().expect("a line");
        let said: Value = serde_json::from_str(&line).expect("JSON");
        let url = said["services"][self.name].as_str().unwrap_or_else(|| panic!("{} in {line}", self.name));
        // The address rather than the name, which other families of addresses have too.
        self.url = url.replace("localhost", "127.0.0.1");
    }
}

/// Holds those up at their commits who write people and schools, until it is dropped: they are done then, whoever is still there to hear it.
struct Shut(Option<(mpsc::Sender<()>, JoinHandle<()>)>);

impl Shut {
    fn gate(database: &TestDb) -> Self {
        let (release, released) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let name = database.name().to_owned();
        let holding = std::thread::spawn(move || {
            block_on(async {
                let session = server().session(&name).await;
                session.batch("SELECT pg_advisory_lock(4711)").await.expect("locked");
                tell.send(()).expect("somebody waits");
                // The other end says nothing; it goes.
                let _ = released.recv();
                session.batch("SELECT pg_advisory_unlock(4711)").await.expect("released");
            });
        });
        told.recv().expect("locked");
        Self(Some((release, holding)))
    }
}

impl Drop for Shut {
    fn drop(&mut self) {
        if let Some((release, holding)) = self.0.take() {
            drop(release);
            // Its own panic has been told.
            let _ = holding.join();
        }
    }
}

impl Drop for Part {
    /// A test that fails leaves nothing behind.
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.signal(Signal::KILL);
            running.end();
        }
    }
}

#[test]
fn people_do_the_same_on_two_copies_of_each_part() {
    let platform = Platform::start(None);
    let school = platform.school();
    flows::each_role_signs_in_and_an_administrator_runs_their_school(&school);
    flows::a_teacher_registers_shows_their_address_and_sets_a_new_password(&school);
    flows::an_administrator_adds_a_teacher_and_blocks_another(&school);
    flows::a_parent_sees_only_their_children(&school);
}

#[test]
fn a_copy_of_each_part_that_is_killed_under_load_fails_no_idempotent_request() {
    let mut platform = Platform::start(Some(&super::load::routes()));
    block_on(async { platform.database.session().await.batch(GATE).await.expect("a gate") });
    let load = Load::start(&platform.school(), &platform.operator());
    load.goes_on(200);
    for name in DOMAINS.map(|(name, ..)| name).into_iter().chain([MIGRATIONS]) {
        // All who write have sent their commit; of those who wait for this copy nobody is told what became of it.
        let gate = Shut::gate(&platform.database);
        until(&platform.database, WRITERS_WAIT);
        platform.end(name, 0, Signal::KILL);
        drop(gate);
        load.goes_on(200);
        platform.again(name, 0);
        load.until(|load| platform.is_whole(load));
        // The other one is told to end, as when a release is rolled out.
        let said = platform.end(name, 1, Signal::TERM);
        assert!(!said.contains("ERROR"), "{said}");
        load.goes_on(200);
        platform.again(name, 1);
        load.until(|load| platform.is_whole(load));
    }
    load.close(0);
    platform.end(GATEWAY, 0, Signal::KILL);
    load.goes_on(200);
    platform.again(GATEWAY, 0);
    load.open(0);
    load.goes_on(200);
    let done = load.end();
    assert_eq!(done.failed, Vec::<String>::new());
    assert!(done.moved > 0 && done.repeated > 0, "somebody was at the door that was shut, and in the middle of a POST");
    done.check(&platform.database);

    // One of each stays away, and those that are left know within the stated time whom to refuse.
    for name in DOMAINS.map(|(name, ..)| name).into_iter().chain([MIGRATIONS, GATEWAY]) {
        platform.end(name, 0, Signal::KILL);
    }
    let school = platform.school();
    flows::an_administrator_adds_a_teacher_and_blocks_another(&school);
    flows::a_parent_sees_only_their_children(&school);
}
