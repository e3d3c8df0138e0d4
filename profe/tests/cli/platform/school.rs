//! A platform that runs, and people who use it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::{Value, json};
use testkit::people::PASSWORD;

use crate::support::{DEADLINE, Running, client, open_folder, profe};

/// `profe up` in a folder of its own, everything on free ports.
pub struct Up {
    #[expect(dead_code, reason = "removed when it is dropped")]
    folder: tempfile::TempDir,
    running: Running,
    /// What it said when it was ready.
    pub said: Value,
    /// What it serves.
    pub school: School,
}

/// A platform, as people meet it.
pub struct School {
    /// The front doors.
    doors: Vec<String>,
    turn: AtomicUsize,
    /// Every copy of every service, by its name; where it is below its own address.
    copies: Vec<(String, String)>,
    /// Where letters lie.
    mail: PathBuf,
    client: Client,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Up {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With these variables.
    pub fn start_with(variables: &[(&str, &str)]) -> Self {
        let folder = open_folder();
        let mut command = profe(folder.path());
        command.env("MIGRATION_SERVICE_PORT", "0").env("MIGRATION_SERVICE_LOG_LEVEL", "warn");
        command.envs(variables.iter().copied());
        let mut running = Running::start(&mut command, &["up", "--output", "json"]);
        let lines = running.wait_for("\"ready\":true");
        let said: Value = lines.last().map(|line| serde_json::from_str(line).expect("JSON")).expect("a line");
        let places = said["services"].as_object().expect("services").iter();
        let places = places.map(|(name, url)| (name.clone(), url.as_str().expect("a URL").to_owned()));
        let school = School::of(places, folder.path().join(".profe/mail"));
        Self { folder, running, said, school }
    }

    /// Ctrl-C: its exit code, and what it had said on stderr.
    pub fn stop(self) -> (Option<i32>, String) {
        let (status, _, errors) = self.running.interrupt();
        (status.code(), errors)
    }
}

impl School {
    /// What is served at these places, copies of the gateway among them.
    pub fn of(places: impl IntoIterator<Item = (String, String)>, mail: PathBuf) -> Self {
        let below = |(name, url): (String, String)| (name, format!("{url}/api"));
        let (doors, copies): (Vec<_>, Vec<_>) =
            places.into_iter().map(below).partition(|(name, _)| name == "api-gateway");
        let doors: Vec<_> = doors.into_iter().map(|(_, url)| url).collect();
        assert!(!doors.is_empty(), "there is no front door beside {copies:?}");
        Self { doors, turn: AtomicUsize::new(0), copies, mail, client: client() }
    }

    /// The front doors.
    pub fn doors(&self) -> &[String] {
        &self.doors
    }

    /// Asks through a front door, of several one after the other.
    pub fn ask(&self, method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        let door = &self.doors[self.turn.fetch_add(1, Ordering::Relaxed) % self.doors.len()];
        self.ask_at(door, method, path, token, body)
    }

    fn ask_at(&self, place: &str, method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        let mut request = self.client.request(method, format!("{place}{path}"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().expect("a whole answer");
        let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text:?}"));
        Answer { status, body }
    }

    pub fn get(&self, path: &str, token: &str) -> Answer {
        self.ask(Method::GET, path, Some(token), None)
    }

    /// Waits until each path is refused to a token by every front door and by every copy of its service, which has a stated time for it.
    pub fn refuse_within(&self, stated: Duration, paths: &[&str], token: &str) {
        let until = Instant::now() + stated;
        for path in paths {
            let service = match path.split('/').nth(1) {
                Some("auth") => "auth-service",
                Some("users") => "user-service",
                _ => "organization-service",
            };
            let copies = self.copies.iter().filter(|(name, _)| name == service).map(|(_, place)| place);
            let copies: Vec<_> = copies.collect();
            assert!(!copies.is_empty(), "no {service} in {:?}", self.copies);
            for place in self.doors.iter().chain(copies) {
                while self.ask_at(place, Method::GET, path, Some(token), None).status != 401 {
                    assert!(Instant::now() < until, "{place}{path} is answered after {} s", stated.as_secs());
                }
            }
        }
    }

    /// What signing in is answered.
    pub fn login(&self, email: &str, password: &str) -> Answer {
        let body = json!({ "email": email, "password": password });
        self.ask(Method::POST, "/auth/login", None, Some(&body))
    }

    /// The access token of somebody who can sign in.
    pub fn token(&self, email: &str) -> String {
        let answer = self.login(email, PASSWORD);
        assert_eq!(answer.status, 200, "{email}: {answer:?}");
        answer.body["token"].as_str().expect("a token").to_owned()
    }

    /// The text of the letter to somebody that has these words; letters are written soon after what they are about.
    pub fn letter(&self, to: &str, words: &str) -> String {
        let folder = &self.mail;
        let until = Instant::now() + DEADLINE;
        loop {
            let letters = files(folder).into_iter().filter_map(|file| std::fs::read_to_string(file).ok());
            let decoded = letters.map(|letter| letter.replace("=\r\n", "").replace("=\n", "").replace("=3D", "="));
            if let Some(letter) = decoded.into_iter().find(|letter| letter.contains(to) && letter.contains(words)) {
                return letter;
            }
            assert!(Instant::now() < until, "no letter to {to} with {words:?} in {}", folder.display());
            std::thread::yield_now();
        }
    }
}

fn files(folder: &PathBuf) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// What follows `before` in a letter, up to the end of the word.
pub fn after<'a>(letter: &'a str, before: &str) -> &'a str {
    let (_, rest) = letter.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {letter}"));
    rest.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.~".contains(c))).next().unwrap_or_default()
}
