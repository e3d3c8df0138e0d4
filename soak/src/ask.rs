//! Requests to the copies, as a client that does not give up at once: asked again, with the same key, at the next copy.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::Value;

use crate::Outcome;
use crate::ledger::{Kind, Ledger};
use crate::world::World;

/// Longer than an answer takes that is not waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// Codes that say that the program is wrong, whatever is broken under it.
const NEVER: [&str; 3] = ["internal", "internal_error", "not_json"];

/// What a copy answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl Answer {
    /// In a few words, for the journal.
    pub fn words(&self) -> String {
        let state = ["code", "state", "status"].iter().find_map(|name| self.body[*name].as_str());
        let id = ["migrationId", "runId", "backupId"].iter().find_map(|name| self.body[*name].as_str());
        format!("{} {} {}", self.status, state.unwrap_or_default(), id.unwrap_or_default()).trim_end().to_owned()
    }
}

/// Asks.
pub struct Asker {
    client: Client,
}

impl Asker {
    /// One for all.
    pub fn new() -> Outcome<Self> {
        // Another part of this process may have done it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().pool_max_idle_per_host(0).connect_timeout(Duration::from_secs(5));
        Ok(Self { client: client.build().map_err(|error| error.to_string())? })
    }

    /// Asks one copy once.
    ///
    /// # Errors
    /// It did not answer.
    pub async fn once(
        &self,
        world: &World,
        copy: usize,
        (method, path): (Method, &str),
        (body, key): (Option<&Value>, Option<&str>),
        within: Duration,
    ) -> Outcome<Answer> {
        let url = format!("http://127.0.0.1:{}{path}", world.copies[copy].port);
        let mut request = self.client.request(method, url).timeout(within);
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key).header("x-request-id", key);
        }
        let answer = request.send().await.map_err(|error| cause(&error))?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(|error| cause(&error))?;
        let body = serde_json::from_str(&text).unwrap_or_else(|_| serde_json::json!({ "text": text }));
        Ok(Answer { status, body })
    }

    /// Asks for something to look at.
    pub async fn get(&self, world: &World, ledger: &Ledger, copy: usize, path: &str) -> Option<Answer> {
        let answer = self.once(world, copy, (Method::GET, path), (None, None), ANSWER_WITHIN).await;
        note(ledger, path, &answer);
        answer.ok()
    }

    /// Asks for something to be done, at one copy after the other until one answers; what is accepted is kept.
    pub async fn post(
        &self,
        world: &World,
        ledger: &Ledger,
        copy: usize,
        (path, body, key): (&str, &Value, &str),
    ) -> Option<Answer> {
        for try_at in 0..world.copies.len() {
            let at = (copy + try_at) % world.copies.len();
            let answer = self.once(world, at, (Method::POST, path), (Some(body), Some(key)), ANSWER_WITHIN).await;
            note(ledger, path, &answer);
            let Ok(answer) = answer else { continue };
            if answer.status < 300 {
                keep(ledger, &answer.body, key);
            }
            return Some(answer);
        }
        None
    }
}

fn keep(ledger: &Ledger, body: &Value, key: &str) {
    let kinds = [(Kind::Run, "migrationId"), (Kind::FleetRun, "runId"), (Kind::Backup, "backupId")];
    let found = kinds.iter().find_map(|(kind, name)| Some((*kind, body[*name].as_str()?.to_owned())));
    if let Some((kind, id)) = found {
        ledger.keep(|ledger| ledger.accepted.push((kind, id, key.to_owned())));
    }
}

fn note(ledger: &Ledger, path: &str, answer: &Outcome<Answer>) {
    ledger.keep(|ledger| match answer {
        Err(_) => ledger.unanswered += 1,
        Ok(answer) if answer.status < 400 => ledger.answered += 1,
        Ok(answer) => {
            ledger.answered += 1;
            let code = answer.body["code"].as_str().unwrap_or("not_json").to_owned();
            if NEVER.contains(&code.as_str()) || (answer.status >= 400 && answer.body["detail"].as_str().is_none()) {
                ledger.deviations.push(format!("{path} was answered with {}: {}", answer.status, answer.body));
            }
            *ledger.refused.entry(code).or_default() += 1;
        }
    });
}

/// What lies at the bottom of it: the sentence above says only that the request failed.
fn cause(error: &reqwest::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
