//! Does the work that was drawn.

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::ask::Asker;
use crate::journal::Journal;
use crate::ledger::{Kind, Ledger};
use crate::plan::{Lane, Work};
use crate::world::World;

/// Between two looks at a run that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Longer than any command takes that is not killed; the end of the soak does not wait for more.
const COMMAND_WITHIN: Duration = Duration::from_mins(3);
/// Exit codes that the command line has for what can happen here.
const COMMAND_CODES: [i32; 7] = [0, 1, 3, 4, 5, 6, 130];
/// What can be looked at.
const LOOKS: [&str; 12] = [
    "/api/migrations/status",
    "/api/fleets/tenants?each=true",
    "/api/fleets/runs",
    "/api/migrations/runs",
    "/metrics",
    "/api/alerts",
    "/api/backup/list",
    "/api/drift",
    "/api/database/health",
    "/api/migrations/history",
    "/api/webhooks",
    "/ready",
];

/// Whoever does it.
pub struct Director {
    /// What it works on.
    pub world: Arc<World>,
    /// What came of it.
    pub ledger: Arc<Ledger>,
    /// How it asks.
    pub asker: Arc<Asker>,
    /// Part of every key, so that no two soaks share one.
    pub seed: u64,
}

impl Director {
    fn journal(&self) -> &Journal {
        &self.world.journal
    }

    /// Does a lane's steps, each at its time or when the one before is over.
    pub async fn walk(self: Arc<Self>, lane: Lane<Work>, until: Instant) {
        for (number, step) in lane.steps.into_iter().enumerate() {
            tokio::time::sleep_until((self.journal().begun() + step.at).into()).await;
            if Instant::now() >= until {
                return;
            }
            let begun = Instant::now();
            let what = step.what.to_string();
            self.journal().tell(&lane.name, &what);
            let key = format!("soak-{}-{}-{number}", self.seed, lane.name);
            let came = self.work(step.what, &key).await;
            self.journal().tell(&lane.name, &format!("… {came} after {:.1} s", begun.elapsed().as_secs_f64()));
        }
    }

    async fn work(&self, work: Work, key: &str) -> String {
        match work {
            Work::FleetForward { copy, to, wave, per_server, wait } => {
                let mut body = json!({ "pace": { "wave": wave, "perServer": per_server } });
                if let Some(to) = to {
                    body["to"] = json!(format!("tenants/{to}"));
                }
                self.post(copy, ("/api/fleets/tenants/run", &body, key), wait).await
            }
            Work::FleetBack { copy, steps, wait } => {
                self.post(copy, ("/api/fleets/tenants/rollback", &json!({ "steps": steps }), key), wait).await
            }
            Work::FleetResume { copy } => self.of_newest(copy, Kind::FleetRun, "/api/fleets/runs/{}/resume", key).await,
            Work::FleetCancel { copy } => self.of_newest(copy, Kind::FleetRun, "/api/fleets/runs/{}/cancel", key).await,
            Work::FleetStatus { copy } => self.look(copy, "/api/fleets/tenants?each=true").await,
            Work::PlatformForward { copy, dry, wait } => {
                self.post(copy, ("/api/migrations/run", &json!({ "dryRun": dry }), key), wait).await
            }
            Work::PlatformBack { copy, steps, wait } => {
                self.post(copy, ("/api/migrations/rollback", &json!({ "steps": steps }), key), wait).await
            }
            Work::Seeds { copy, wait } => self.post(copy, ("/api/seeds/run", &json!({}), key), wait).await,
            Work::PlatformCancel { copy } => {
                self.of_newest(copy, Kind::Run, "/api/migrations/runs/{}/cancel", key).await
            }
            Work::Look { copy } => {
                // Which of them is told by the key's number, so by the seed.
                let number = key.rsplit('-').next().and_then(|n| n.parse::<usize>().ok()).unwrap_or_default();
                self.look(copy, LOOKS[number % LOOKS.len()]).await
            }
            Work::Backup { copy, service, wait } => {
                let mut body = json!({ "description": key });
                if let Some(service) = service {
                    body["service"] = json!(service);
                }
                self.post(copy, ("/api/backup/create", &body, key), wait).await
            }
            Work::Restore { copy, wait } => {
                let Some(id) = self.ledger.newest(Kind::Backup) else { return "nothing to restore yet".to_owned() };
                let into = format!("restored_{}", key.replace('-', "_"));
                let body = json!({ "confirm": id, "into": into });
                self.post(copy, (&format!("/api/backup/restore/{id}"), &body, key), wait).await
            }
            Work::VerifyBackup { copy } => self.of_newest(copy, Kind::Backup, "/api/backup/{}/verify", key).await,
            Work::BackupCancel { copy } => self.of_newest(copy, Kind::Backup, "/api/backup/{}/cancel", key).await,
            Work::Command { words, kill_after } => self.command(words, kill_after).await,
        }
    }

    async fn look(&self, copy: usize, path: &str) -> String {
        let answer = self.asker.get(&self.world, &self.ledger, copy, path).await;
        answer.map_or_else(|| format!("{path}: no answer"), |answer| format!("{path}: {}", answer.words()))
    }

    async fn of_newest(&self, copy: usize, kind: Kind, path: &str, key: &str) -> String {
        let Some(id) = self.ledger.newest(kind) else { return "there is none yet".to_owned() };
        self.post(copy, (&path.replace("{}", &id), &json!({}), key), Duration::ZERO).await
    }

    /// Asks, and looks for so long at what came of it.
    async fn post(&self, copy: usize, request: (&str, &Value, &str), wait: Duration) -> String {
        let Some(answer) = self.asker.post(&self.world, &self.ledger, copy, request).await else {
            return "no copy answers".to_owned();
        };
        let first = answer.words();
        let Some(path) = follow(&answer.body).filter(|_| answer.status == 202) else { return first };
        let give_up = Instant::now() + wait;
        while Instant::now() < give_up {
            tokio::time::sleep(LOOK_EVERY).await;
            let Some(answer) = self.asker.get(&self.world, &self.ledger, copy, &path).await else { continue };
            let running = ["status", "state"].iter().any(|name| answer.body[*name] == "running")
                || answer.body["job"]["status"] == "running";
            if answer.status == 200 && !running {
                return format!("{first}, then {}", answer.words());
            }
        }
        first
    }

    async fn command(&self, words: &'static [&'static str], kill_after: Option<Duration>) -> String {
        let mut command = self.world.profe(0);
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let came = tokio::task::spawn_blocking(move || -> Result<(Option<i32>, String), String> {
            let mut child = command.spawn().map_err(|error| error.to_string())?;
            let over = end_of(&mut child, kill_after.unwrap_or(COMMAND_WITHIN))?;
            let mut said = String::new();
            if let Some(mut errors) = child.stderr.take() {
                use std::io::Read as _;
                // What was killed need not have said anything in whole.
                let _ = errors.read_to_string(&mut said);
            }
            Ok((over, said))
        });
        let (code, said) = match came.await {
            Ok(Ok(came)) => came,
            Ok(Err(error)) => return error,
            Err(error) => return error.to_string(),
        };
        let name = code.map_or_else(|| "killed".to_owned(), |code| code.to_string());
        self.ledger.keep(|ledger| {
            *ledger.commands.entry(name.clone()).or_default() += 1;
            if code.is_none() && kill_after.is_none() {
                ledger.deviations.push(format!("profe {} did not end within {COMMAND_WITHIN:?}", words.join(" ")));
            }
            if code.is_some_and(|code| !COMMAND_CODES.contains(&code)) {
                ledger.deviations.push(format!("profe {} ended with {name}: {said}", words.join(" ")));
            }
        });
        format!("{name}: {}", said.lines().next().unwrap_or_default())
    }
}

/// Where to look at what was begun.
fn follow(body: &Value) -> Option<String> {
    let id = |name: &str| body[name].as_str();
    id("migrationId")
        .map(|id| format!("/api/migrations/runs/{id}"))
        .or_else(|| id("runId").map(|id| format!("/api/fleets/runs/{id}")))
        .or_else(|| id("backupId").map(|id| format!("/api/backup/{id}")))
}

/// Its exit code; `None` where it had to be killed.
fn end_of(child: &mut Child, within: Duration) -> Result<Option<i32>, String> {
    let give_up = Instant::now() + within;
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(Some(status.code().unwrap_or(-1)));
        }
        if Instant::now() >= give_up {
            child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
