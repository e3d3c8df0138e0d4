//! Many who ask at once, and what a client may expect while copies die.
//!
//! A request counts as failed by what its client sees of a gateway that lives. GET and PUT are idempotent: every one is answered as if
//! nothing had happened. POST and PATCH are not; where the service dies under one, the gateway says `502 no_answer` instead of guessing, and
//! the client sends it again: a POST under the same Idempotency-Key, so that it is done once, a PATCH because it says how things are
//! to be. Where a gateway itself dies, a client whose connection breaks asks the other one, again under the same key.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::{Value, json};
use testkit::{TestDb, block_on};

use super::school::School;
use crate::support::{DEADLINE, client};

/// Who has no account, but a token of the migration service.
const OPERATOR: &str = "operator";
const SCHOOL: &str = "00000007-0001-4000-8000-000000000001";
/// What a client may ask in the platform's table; here everybody comes from one address.
const CLIENT: &str = "client = { requests = 100, seconds = 1, burst = 400 }";
const USER: &str = "user = { requests = 50, seconds = 1, burst = 200 }";

/// The platform's routes for clients who ask more than people do.
pub fn routes() -> String {
    let routes = gateway::DEFAULT_ROUTES;
    assert!(routes.contains(CLIENT) && routes.contains(USER), "the table's limits are others now");
    let many = |who: &str| format!("{who} = {{ requests = 100000, seconds = 1, burst = 100000 }}");
    routes.replace(CLIENT, &many("client")).replace(USER, &many("user"))
}

/// Who ask, each on a thread, until they are told to end.
pub struct Load {
    world: Arc<World>,
    asking: Vec<JoinHandle<Done>>,
    done: mpsc::Receiver<()>,
    client: Client,
}

struct World {
    doors: Vec<String>,
    /// Nobody goes to a door that is shut; who is there finds out.
    shut: Vec<AtomicBool>,
    stop: AtomicBool,
    turn: AtomicU64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Done {
    /// Requests that were answered otherwise than on a good day.
    pub failed: Vec<String>,
    /// Requests whose gateway died, and that another one answered.
    pub moved: u64,
    /// Requests that are not idempotent, sent again by their client.
    pub repeated: u64,
    /// Every POST that was answered, by its Idempotency-Key: where what it has made stands.
    made: BTreeMap<String, String>,
    /// The last name that a teacher was given.
    named: BTreeMap<String, String>,
}

/// Who asks, over and over again.
enum Asker {
    /// Reads.
    Reader(Vec<String>),
    /// Changes a name, again and again.
    Changer { path: &'static str, body: Value, name: &'static str },
    /// Adds something new each time.
    Maker { path: &'static str, tag: &'static str },
    /// Sets what is so already.
    Setter(&'static str),
}

/// A request as its client sends it, as often as it takes.
struct Request<'a> {
    method: Method,
    path: &'a str,
    body: Option<Value>,
    key: Option<&'a str>,
}

impl Load {
    /// Begins; `operator` is a token of the migration service.
    pub fn start(school: &School, operator: &str) -> Self {
        let doors = school.doors().to_vec();
        let shut = doors.iter().map(|_| AtomicBool::new(false)).collect();
        let world = Arc::new(World { doors, shut, stop: AtomicBool::new(false), turn: AtomicU64::new(0) });
        let (tell, done) = mpsc::channel();
        let token = |email: &str| school.token(email);
        let (admin, platform) = (token("admin@escuela.example"), token("plataforma@profe.example"));
        let asking = askers().into_iter().map(|(email, asker)| {
            let token = match email {
                "admin@escuela.example" => admin.clone(),
                "plataforma@profe.example" => platform.clone(),
                OPERATOR => operator.to_owned(),
                other => token(other),
            };
            let person = Person {
                world: Arc::clone(&world),
                token,
                client: client(),
                tell: tell.clone(),
                done: Done::default(),
            };
            std::thread::spawn(move || person.ask_on(&asker))
        });
        let asking = asking.collect();
        Self { world, asking, done, client: client() }
    }

    /// Waits until so many more requests were answered.
    pub fn goes_on(&self, count: usize) {
        self.done.try_iter().for_each(drop);
        let until = Instant::now() + DEADLINE;
        for _ in 0..count {
            let left = until.saturating_duration_since(Instant::now());
            self.done.recv_timeout(left).expect("they are answered");
        }
    }

    /// Waits, while they ask, until it holds.
    pub fn until(&self, holds: impl Fn(&Self) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !holds(self) {
            assert!(Instant::now() < until, "it does not come to hold");
            self.goes_on(50);
        }
    }

    /// What a gateway says of the services.
    pub fn status(&self, gateway: &str) -> Value {
        let answer = self.client.get(format!("{gateway}/api/status")).send().expect("an answer");
        serde_json::from_str(&answer.text().expect("text")).expect("JSON")
    }

    /// From now on a broken connection to this gateway is no surprise.
    pub fn close(&self, door: usize) {
        self.world.shut[door].store(true, Ordering::SeqCst);
    }

    pub fn open(&self, door: usize) {
        self.world.shut[door].store(false, Ordering::SeqCst);
    }

    /// Ends, and says what came of all.
    pub fn end(self) -> Done {
        self.world.stop.store(true, Ordering::SeqCst);
        let mut all = Done::default();
        for asking in self.asking {
            let done = asking.join().expect("no panic");
            all.failed.extend(done.failed);
            all.moved += done.moved;
            all.repeated += done.repeated;
            all.made.extend(done.made);
            all.named.extend(done.named);
        }
        all
    }
}

/// All of them with whom they sign in as.
fn askers() -> Vec<(&'static str, Asker)> {
    let own = |id: u32| format!("/users/00000001-0001-4000-8000-0000000000{id}");
    let reader = |paths: &[String]| Asker::Reader(paths.to_vec());
    let school = format!("/organizations/{SCHOOL}");
    let teacher = |number: &str| json!({ "firstName": "Docente", "lastName": number, "email": format!("docente{number}@escuela.example"), "subjects": [] });
    let mut all = vec![
        ("docente2@escuela.example", reader(&[school.clone(), own(12), "/auth/sessions".to_owned()])),
        ("acudiente1@escuela.example", reader(&[format!("{}/children", own(31)), "/auth/session/validate".to_owned()])),
        ("estudiante1@escuela.example", reader(&[format!("{}/profile", own(21)), "/auth/sessions".to_owned(), school])),
        (OPERATOR, reader(&["/migrations/status".to_owned()])),
        (
            "admin@colegio.example",
            reader(&["/users?limit=20".to_owned(), "/admin/teachers".to_owned(), "/admin/organization".to_owned()]),
        ),
    ];
    let admin = "admin@escuela.example";
    all.extend([
        (
            admin,
            Asker::Changer {
                path: "/admin/teachers/00000001-0001-4000-8000-000000000011",
                body: teacher("1"),
                name: "lastName",
            },
        ),
        (
            admin,
            Asker::Changer {
                path: "/admin/teachers/00000001-0001-4000-8000-000000000013",
                body: teacher("3"),
                name: "lastName",
            },
        ),
        (admin, Asker::Changer { path: "/admin/organization", body: json!({ "name": "" }), name: "name" }),
        (admin, Asker::Maker { path: "/admin/teachers", tag: "a" }),
        (admin, Asker::Maker { path: "/admin/teachers", tag: "b" }),
        (admin, Asker::Maker { path: "/admin/teachers", tag: "c" }),
        (admin, Asker::Maker { path: "/admin/teachers", tag: "d" }),
        ("plataforma@profe.example", Asker::Maker { path: "/organizations", tag: "e" }),
        ("plataforma@profe.example", Asker::Maker { path: "/organizations", tag: "f" }),
        (admin, Asker::Setter("/admin/teachers/00000001-0001-4000-8000-000000000012/status")),
    ]);
    all
}

struct Person {
    world: Arc<World>,
    token: String,
    client: Client,
    tell: mpsc::Sender<()>,
    done: Done,
}

impl Person {
    fn ask_on(mut self, asker: &Asker) -> Done {
        for round in 0.. {
            if self.world.stop.load(Ordering::SeqCst) {
                break;
            }
            self.ask(asker, round);
            // Nobody listens any more only where the test has failed.
            let _ = self.tell.send(());
        }
        self.done
    }

    fn ask(&mut self, asker: &Asker, round: usize) {
        match asker {
            Asker::Reader(paths) => {
                let path = &paths[round % paths.len()];
                self.expect(200, &Request { method: Method::GET, path, body: None, key: None });
            }
            Asker::Changer { path, body, name } => {
                let mut body = body.clone();
                let value = format!("Nombre {round}");
                body[name] = json!(value);
                let said = self.expect(200, &Request { method: Method::PUT, path, body: Some(body), key: None });
                if said.is_some_and(|said| said[name] == value.as_str()) {
                    self.done.named.insert((*path).to_owned(), value);
                } else {
                    self.done.failed.push(format!("{path} does not say {value}"));
                }
            }
            Asker::Maker { path, tag } => {
                // Behind everybody in the list of teachers, which ends at the thousandth.
                let key = format!("z-carga-{tag}-{round}");
                let body = json!({ "firstName": "Docente", "lastName": key, "email": format!("{key}@escuela.example"), "subjects": [] });
                let body = if *path == "/organizations" { json!({ "name": key }) } else { body };
                let said = self.expect(201, &Request { method: Method::POST, path, body: Some(body), key: Some(&key) });
                if let Some(id) = said.and_then(|said| said["id"].as_str().map(str::to_owned)) {
                    self.done.made.insert(key, id);
                }
            }
            Asker::Setter(path) => {
                let body = Some(json!({ "isActive": true }));
                self.expect(200, &Request { method: Method::PATCH, path, body, key: None });
            }
        }
    }

    /// Sends it, as the head of this file says, until it is answered; what is not as on a good day is noted.
    fn expect(&mut self, status: u16, request: &Request<'_>) -> Option<Value> {
        let until = Instant::now() + DEADLINE;
        let is_repeatable = matches!(request.method, Method::POST | Method::PATCH);
        while Instant::now() < until {
            let turn = usize::try_from(self.world.turn.fetch_add(1, Ordering::Relaxed)).expect("few requests");
            let open = (0..self.world.doors.len()).map(|n| (turn + n) % self.world.doors.len());
            let door =
                open.into_iter().find(|door| !self.world.shut[*door].load(Ordering::SeqCst)).expect("one is open");
            let (said, text) = match self.send(&self.world.doors[door], request) {
                Ok(answer) => answer,
                Err(_) if self.world.shut[door].load(Ordering::SeqCst) => {
                    self.done.moved += 1;
                    continue;
                }
                Err(error) => {
                    self.done.failed.push(format!("{} {}: {error}", request.method, request.path));
                    return None;
                }
            };
            let body: Value = serde_json::from_str(&text).unwrap_or_default();
            if said == status {
                return Some(body);
            }
            // Another attempt under the same key is still under way, or was when its service died.
            let is_in_doubt = matches!(
                (said, body["code"].as_str()),
                (502, Some("no_answer")) | (409, Some("idempotency_in_progress"))
            );
            if !is_repeatable || !is_in_doubt {
                self.done.failed.push(format!("{} {}: {said} {text}", request.method, request.path));
                return None;
            }
            self.done.repeated += 1;
        }
        self.done.failed.push(format!("{} {}: never answered", request.method, request.path));
        None
    }

    fn send(&self, door: &str, request: &Request<'_>) -> reqwest::Result<(u16, String)> {
        let mut sent =
            self.client.request(request.method.clone(), format!("{door}{}", request.path)).bearer_auth(&self.token);
        if let Some(key) = request.key {
            sent = sent.header("idempotency-key", key);
        }
        if let Some(body) = &request.body {
            sent = sent.json(body);
        }
        let answer = sent.send()?;
        let status = answer.status().as_u16();
        Ok((status, answer.text()?))
    }
}

impl Done {
    /// The database has what was answered, all of it, and each once.
    pub fn check(&self, database: &TestDb) {
        let rows = |sql: &str| block_on(database.rows(sql));
        let people = rows("SELECT last_name, user_id FROM users.members WHERE last_name LIKE 'z-carga-%'");
        let schools = rows("SELECT name, id FROM organizations.organizations WHERE name LIKE 'z-carga-%'");
        let mut there: Vec<String> = people.into_iter().chain(schools).collect();
        there.sort();
        let mut answered: Vec<_> = self.made.iter().map(|(key, id)| format!("{key}|{id}")).collect();
        answered.sort();
        assert_eq!(there, answered, "each is there once");
        assert!(answered.len() > 50, "{answered:?}");
        for (path, value) in &self.named {
            let id = path.rsplit('/').next().expect("an id");
            let sql = if id == "organization" {
                format!("SELECT name FROM organizations.organizations WHERE id = '{SCHOOL}'")
            } else {
                format!("SELECT last_name FROM users.members WHERE user_id = '{id}' AND organization_id = '{SCHOOL}'")
            };
            assert_eq!(rows(&sql), [value.as_str()], "the last change stands: {path}");
        }
    }
}
