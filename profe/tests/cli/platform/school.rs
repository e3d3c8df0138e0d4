//! A platform that runs, and people who use it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::{Value, json};

use crate::support::{DEADLINE, Running, client, open_folder, profe};

/// `profe up` in a folder of its own, everything on free ports.
pub struct School {
    folder: tempfile::TempDir,
    up: Running,
    /// What it said when it was ready.
    pub said: Value,
    client: Client,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl School {
    pub fn up() -> Self {
        Self::up_with(&[])
    }

    /// With these variables.
    pub fn up_with(variables: &[(&str, &str)]) -> Self {
        let folder = open_folder();
        let mut command = profe(folder.path());
        command.env("MIGRATION_SERVICE_PORT", "0").env("MIGRATION_SERVICE_LOG_LEVEL", "warn");
        command.envs(variables.iter().copied());
        let mut up = Running::start(&mut command, &["up", "--output", "json"]);
        let lines = up.wait_for("\"ready\":true");
        let ready = lines.last().expect("a line");
        let said = serde_json::from_str(ready).unwrap_or_else(|error| panic!("{error}: {ready}"));
        Self { folder, up, said, client: client() }
    }

    /// Ctrl-C: its exit code, and what it had said on stderr.
    pub fn stop(self) -> (Option<i32>, String) {
        let (status, _, errors) = self.up.interrupt();
        (status.code(), errors)
    }

    /// Asks through the front door.
    pub fn ask(&self, method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        let platform = self.said["platform"].as_str().expect("a front door");
        let mut request = self.client.request(method, format!("{platform}{path}"));
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

    /// What signing in is answered.
    pub fn login(&self, email: &str, password: &str) -> Answer {
        let body = json!({ "email": email, "password": password });
        self.ask(Method::POST, "/auth/login", None, Some(&body))
    }

    /// The access token of somebody who can sign in.
    pub fn token(&self, email: &str) -> String {
        let answer = self.login(email, "profe-desarrollo");
        assert_eq!(answer.status, 200, "{email}: {answer:?}");
        answer.body["token"].as_str().expect("a token").to_owned()
    }

    /// The text of the letter to somebody that has these words; letters are written soon after what they are about.
    pub fn letter(&self, to: &str, words: &str) -> String {
        let folder = self.folder.path().join(".profe/mail");
        let until = Instant::now() + DEADLINE;
        loop {
            let letters = files(&folder).into_iter().filter_map(|file| std::fs::read_to_string(file).ok());
            let decoded = letters.map(|letter| letter.replace("=\r\n", "").replace("=\n", "").replace("=3D", "="));
            if let Some(letter) = decoded.into_iter().find(|letter| letter.contains(to) && letter.contains(words)) {
                return letter;
            }
            assert!(Instant::now() < until, "no letter to {to} with {words:?} in {}", folder.display());
            std::thread::yield_now();
        }
    }
}

/// Asks until it is answered so, within a stated time.
pub fn within(stated: Duration, what: &str, asked: impl Fn() -> bool) {
    let until = Instant::now() + stated;
    while !asked() {
        assert!(Instant::now() < until, "{what}: not within {} s", stated.as_secs());
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
