//! What the service has accepted, and what it refused.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// What was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A run, a rollback, seeds.
    Run,
    /// A run over the fleet.
    FleetRun,
    /// A backup.
    Backup,
}

/// Kept while the soak goes on.
#[derive(Default)]
pub struct Ledger {
    inner: Mutex<Inner>,
}

/// What it holds.
#[derive(Debug, Default, Clone)]
pub struct Inner {
    /// Ids, each with the key that it was asked for with.
    pub accepted: Vec<(Kind, String, String)>,
    /// How often each code was answered.
    pub refused: BTreeMap<String, u64>,
    /// How often a copy did not answer.
    pub unanswered: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Commands by exit code.
    pub commands: BTreeMap<String, u64>,
    /// What must not happen.
    pub deviations: Vec<String>,
}

impl Ledger {
    /// Writes something down.
    pub fn keep<T>(&self, write: impl FnOnce(&mut Inner) -> T) -> T {
        write(&mut self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// All of it, as it stands.
    pub fn read(&self) -> Inner {
        self.keep(|inner| inner.clone())
    }

    /// The newest id of a kind.
    pub fn newest(&self, kind: Kind) -> Option<String> {
        self.keep(|inner| inner.accepted.iter().rev().find(|(one, ..)| *one == kind).map(|(_, id, _)| id.clone()))
    }
}
