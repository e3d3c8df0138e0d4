//! The last look at everything, as it is kept for whoever asks.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use migration_engine::status::{MigrationState, TargetStatus};
use postgres_link::sqlstate;
use serde::Deserialize;
use time::OffsetDateTime;

use super::disk::Room;
use crate::master::figures::MasterFigures;

/// What was looked at last. Taking it costs a lock for the time of a clone of an `Arc`.
#[derive(Debug, Default)]
pub(crate) struct Samples(RwLock<Arc<Snapshot>>);

impl Samples {
    /// The last look, whole.
    pub(crate) fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a part of a new look in the place of the old one.
    pub(super) fn put(&self, change: impl FnOnce(&mut Snapshot)) {
        change(Arc::make_mut(&mut self.0.write().unwrap_or_else(PoisonError::into_inner)));
    }
}

/// Everything, each as it was when it was last looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    /// By environment; one without a database is absent, and one that was not looked at yet.
    pub(crate) targets: BTreeMap<String, Arc<TargetSample>>,
    /// What the service's own database has; `None` before the first look.
    pub(crate) master: Option<Arc<MasterSample>>,
    /// Where backups lie, where that is a folder of this machine.
    pub(crate) backup_room: Option<Room>,
}

/// One target.
#[derive(Debug, Clone)]
pub(crate) struct TargetSample {
    /// Its database.
    pub(crate) database: String,
    /// When it was looked at.
    pub(crate) at: OffsetDateTime,
    /// How long that took.
    pub(crate) took: Duration,
    /// How it is.
    pub(crate) condition: Condition,
    /// Its migrations, as they were when they could last be counted.
    pub(crate) migrations: Option<Arc<Migrations>>,
    /// Its schemas' sizes when they were last measured, bytes.
    pub(crate) schema_sizes: Arc<BTreeMap<String, i64>>,
    /// Where its data lies, where that is a folder of this machine.
    pub(crate) data_room: Option<Room>,
}

/// How a target is.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    /// It answers.
    Up(Box<Figures>),
    /// Its first run creates the database, and has not been yet.
    NotCreated,
    /// It could not be asked.
    Down(Trouble),
}

/// Why a target could not be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What the server said, five characters; `53300` is that it has no connection left.
    pub(crate) sqlstate: Option<String>,
    /// One sentence, without a secret.
    pub(crate) message: String,
}

impl Trouble {
    /// The server had no connection left for whoever asks.
    pub(crate) fn is_refusal(&self) -> bool {
        self.sqlstate.as_deref() == Some(sqlstate::TOO_MANY_CONNECTIONS)
    }
}

/// What the server says of itself and of the target's database.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    /// How many sessions the server allows.
    pub(crate) max_connections: i64,
    /// Of those, how many are kept for superusers.
    pub(crate) reserved_connections: i64,
    /// Sessions of clients on this database, by state.
    pub(crate) sessions: BTreeMap<String, i64>,
    /// Sessions of clients on the server's other databases.
    pub(crate) sessions_elsewhere: i64,
    /// How many transactions are open on this database.
    pub(crate) transactions: i64,
    /// For how long the oldest is, by the state of its session, seconds.
    pub(crate) oldest_transaction_s: BTreeMap<String, f64>,
    /// How long the longest wait for a lock goes on, seconds; 0 where nobody waits.
    pub(crate) longest_lock_wait_s: f64,
    /// `pg_stat_database`, by column.
    pub(crate) database: BTreeMap<String, f64>,
    /// The database's size, bytes.
    pub(crate) size_bytes: i64,
    /// The server is a standby.
    pub(crate) is_replica: bool,
    /// How far a standby is behind, seconds; 0 on a primary, and on a standby that has replayed nothing yet.
    pub(crate) replication_lag_s: f64,
    /// How far the farthest of its own standbys is behind, seconds; `None` without any that may be seen.
    pub(crate) standby_lag_s: Option<f64>,
    /// When the server was started, seconds since 1970.
    pub(crate) started_at_s: f64,
    /// Where it listens.
    pub(super) port: Option<i64>,
    /// Where its data lies, on its own machine; `None` for who may not know.
    pub(super) data_directory: Option<String>,
}

/// How many migrations are in which state, service by service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Migrations(pub(crate) Vec<ServiceMigrations>);

/// One service's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceMigrations {
    /// Its name in the catalogue.
    pub(crate) service: String,
    /// How many, for each of [`STATES`].
    pub(crate) counts: [usize; STATES.len()],
    /// How many a run would apply without a certificate for their present files; `None` where none is required.
    pub(crate) uncertified: Option<usize>,
}

impl ServiceMigrations {
    /// How many are in one of `states`.
    pub(crate) fn count(&self, states: &[MigrationState]) -> usize {
        STATES.iter().zip(self.counts).filter(|((state, _), _)| states.contains(state)).map(|(_, n)| n).sum()
    }
}

/// All that a migration can be, with its word.
pub(crate) const STATES: [(MigrationState, &str); 7] = [
    (MigrationState::Applied, "applied"),
    (MigrationState::Pending, "pending"),
    (MigrationState::Late, "late"),
    (MigrationState::Edited, "edited"),
    (MigrationState::Missing, "missing"),
    (MigrationState::Failed, "failed"),
    (MigrationState::Interrupted, "interrupted"),
];

impl Migrations {
    /// Counts them; `uncertified` by service, where certificates are required.
    pub(super) fn of(status: &TargetStatus, uncertified: Option<&BTreeMap<String, usize>>) -> Self {
        let of = |service: &migration_engine::status::ServiceStatus| ServiceMigrations {
            service: service.name.clone(),
            counts: STATES.map(|(state, _)| service.count(&[state])),
            uncertified: uncertified.map(|missing| missing.get(&service.name).copied().unwrap_or_default()),
        };
        Self(status.services.iter().map(of).collect())
    }
}

/// The service's own database.
#[derive(Debug, Clone)]
pub(crate) struct MasterSample {
    /// When it was looked at.
    pub(crate) at: OffsetDateTime,
    /// What it has, or why it could not be asked.
    pub(crate) figures: Result<MasterFigures, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_status() {
        for (state, word) in STATES {
            assert_eq!(serde_json::to_value(state).expect("a word"), word);
        }
    }

    #[test]
    fn a_look_that_is_held_does_not_change() {
        let samples = Samples::default();
        samples.put(|snapshot| snapshot.backup_room = Some(Room { free_bytes: 1, size_bytes: 2 }));
        let held = samples.latest();
        samples.put(|snapshot| snapshot.backup_room = None);
        assert!(held.backup_room.is_some() && samples.latest().backup_room.is_none());
    }
}
