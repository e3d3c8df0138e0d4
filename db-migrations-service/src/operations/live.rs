//! The runs of this process, under way and just over: what is known of them while no database has to be asked.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use migration_engine::event::Outcome;
use migration_engine::status::{RunReport, SeedReport};
use migration_engine::{EngineError, ErrorCode, Plan};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::events::{EventLog, Follower};
use super::{RunRecord, RunState};

/// Finished runs that are kept at hand, so that those who ask right after need no database.
const REMEMBERED: usize = 64;
/// For an environment's first run. The platform's own migrations take a fifth of that on a local server
/// (`docs/benchmarks.md`); a network in between takes the rest.
const MS_PER_STATEMENT: f64 = 1.0;

/// How a run ended.
#[derive(Debug, Clone)]
pub enum RunEnd {
    /// A run or a rollback.
    Run(Box<RunReport>),
    /// A seeding.
    Seed(SeedReport),
    /// It broke, or was refused after it had begun.
    Error(Box<EngineError>),
}

impl RunEnd {
    /// What went wrong, if anything did.
    pub fn error(&self) -> Option<&EngineError> {
        match self {
            Self::Run(report) => report.error.as_deref(),
            Self::Seed(_) => None,
            Self::Error(error) => Some(error),
        }
    }

    pub(super) fn state(&self) -> RunState {
        match self {
            Self::Seed(_) => RunState::Completed,
            Self::Error(error) if error.code == ErrorCode::Cancelled => RunState::Cancelled,
            Self::Error(_) => RunState::Failed,
            Self::Run(report) => match report.outcome {
                Outcome::Completed => RunState::Completed,
                Outcome::Failed => RunState::Failed,
                Outcome::Cancelled => RunState::Cancelled,
            },
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let value = match self {
            Self::Run(report) => serde_json::to_value(report),
            Self::Seed(report) => serde_json::to_value(report),
            Self::Error(error) => serde_json::to_value(error).map(|error| json!({ "error": error })),
        };
        value.unwrap_or_default()
    }
}

/// A run of this process, under way or just over. Cheap to clone; dropping it does not stop the run.
#[derive(Clone)]
pub struct RunHandle(pub(super) Arc<LiveRun>);

pub(super) struct LiveRun {
    pub(super) id: Uuid,
    pub(super) record: Mutex<RunRecord>,
    pub(super) end: Mutex<Option<RunEnd>>,
    pub(super) plan: Option<Plan>,
    pub(super) ms_per_migration: Mutex<Option<f64>>,
    pub(super) log: Arc<EventLog>,
    pub(super) cancel: CancellationToken,
    /// It is cancelled so that another process goes on with it.
    pub(super) handed_over: AtomicBool,
}

impl RunHandle {
    /// The run's id, which stands in the target's history too.
    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// What it set out to do; `None` for seeds.
    pub fn plan(&self) -> Option<&Plan> {
        self.0.plan.as_ref()
    }

    /// Where it stands.
    pub fn record(&self) -> RunRecord {
        let mut record = self.0.record.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Made when it is asked for: as JSON a plan takes several times the memory.
        record.plan = self.plan().and_then(|plan| serde_json::to_value(plan).ok()).unwrap_or_else(|| json!({}));
        record
    }

    /// How it ended; `None` while it is under way.
    pub fn end(&self) -> Option<RunEnd> {
        self.0.end.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How long it will take in all: judged by the environment's last runs, without any by the number of statements;
    /// `None` for seeds, of which nobody knows beforehand.
    pub fn estimate(&self) -> Option<Duration> {
        let migrations = &self.plan()?.migrations;
        let known = *self.0.ms_per_migration.lock().unwrap_or_else(PoisonError::into_inner);
        let ms = match known {
            Some(each) => each * migrations.len() as f64,
            None => MS_PER_STATEMENT * migrations.iter().map(|step| step.statements).sum::<usize>() as f64,
        };
        Some(Duration::from_secs_f64((ms / 1000.0).max(0.0)))
    }

    /// How many migrations it has applied or taken back so far.
    pub fn done(&self) -> usize {
        self.0.log.done()
    }

    /// Its events after `seq` (0 for all), until it is over.
    pub fn follow(&self, after: u64) -> Follower {
        Follower::new(Arc::clone(&self.0.log), after, true)
    }

    /// Stops it: what is in hand is taken back, what is done stands.
    pub fn cancel(&self) {
        self.0.cancel.cancel();
    }

    /// Stops it, for another process to go on with where its order is kept.
    pub(super) fn hand_over(&self) {
        let record = self.0.record.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.handed_over.store(record.order.is_some(), Ordering::Relaxed);
        drop(record);
        self.cancel();
    }

    /// Waits until it is over and written down.
    pub async fn finished(&self) -> RunRecord {
        self.0.log.wait_over().await;
        self.record()
    }
}

#[derive(Default)]
pub(super) struct LiveRuns(Mutex<Shelf>);

#[derive(Default)]
struct Shelf {
    runs: HashMap<Uuid, RunHandle>,
    finished: VecDeque<Uuid>,
}

impl LiveRuns {
    pub(super) fn get(&self, id: Uuid) -> Option<RunHandle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).runs.get(&id).cloned()
    }

    pub(super) fn all(&self) -> Vec<RunHandle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).runs.values().cloned().collect()
    }

    pub(super) fn add(&self, run: RunHandle) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).runs.insert(run.id(), run);
    }

    pub(super) fn remove(&self, id: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).runs.remove(&id);
    }

    pub(super) fn retire(&self, id: Uuid) {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.finished.push_back(id);
        if shelf.finished.len() > REMEMBERED
            && let Some(oldest) = shelf.finished.pop_front()
        {
            shelf.runs.remove(&oldest);
        }
    }
}
