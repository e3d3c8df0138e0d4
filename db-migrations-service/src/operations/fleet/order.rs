//! What a run over a fleet is asked for, and what whoever goes on with it needs to know.

use std::time::Duration;

use migration_engine::catalogue::{Canary, FailureBudget, Fleet};
use migration_engine::proof::Override;
use migration_engine::request::RollbackTo;
use migration_engine::{MigrationId, Version};
use serde::{Deserialize, Serialize};

/// Bring a fleet forward, or take it back.
#[derive(Debug, Clone)]
pub struct FleetOrder {
    /// The fleet.
    pub fleet: String,
    /// How far.
    pub aim: FleetAim,
    /// Which go first; the fleet's own, where `None`.
    pub canary: Option<Canary>,
    /// How many between two looks at the failures; likewise.
    pub wave: Option<usize>,
    /// How many at once on one server; likewise.
    pub per_server: Option<usize>,
    /// How many may fail; likewise.
    pub failure_budget: Option<FailureBudget>,
    /// Gates that it passes by although the environment requires them; each with its reason, which is kept in each database.
    pub overrides: Vec<Override>,
    /// Why it goes without the backups that the environment wants first; kept likewise.
    pub no_backup: Option<String>,
    /// Why it takes away what live releases still use; kept likewise.
    pub despite_releases: Option<String>,
    /// The fleet's name once more, for a rollback where its environment is protected.
    pub confirm: Option<String>,
    /// How long to wait for another runner of a database.
    pub wait_for_lock: Duration,
}

impl FleetOrder {
    /// Bring this fleet forward as the catalogue says.
    pub fn of(fleet: &str, aim: FleetAim) -> Self {
        Self {
            fleet: fleet.to_owned(),
            aim,
            canary: None,
            wave: None,
            per_server: None,
            failure_budget: None,
            overrides: Vec::new(),
            no_backup: None,
            despite_releases: None,
            confirm: None,
            wait_for_lock: Duration::ZERO,
        }
    }
}

/// How far each database is to be brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FleetAim {
    /// Forward: to this migration, or everything that is pending.
    Forward {
        /// The migration.
        to: Option<MigrationId>,
    },
    /// Back: the newest so many.
    Steps(usize),
    /// Back: all that are newer than this version.
    Version(Version),
    /// Back: exactly this one.
    Migration(MigrationId),
}

impl FleetAim {
    /// The way back that it is; `None` for the way forward.
    pub(super) fn back(&self) -> Option<RollbackTo> {
        match self {
            Self::Forward { .. } => None,
            Self::Steps(steps) => Some(RollbackTo::Steps(*steps)),
            Self::Version(version) => Some(RollbackTo::Version(*version)),
            Self::Migration(id) => Some(RollbackTo::Migration(id.clone())),
        }
    }

    /// Where the way forward ends.
    pub(super) fn forward_to(&self) -> Option<MigrationId> {
        match self {
            Self::Forward { to } => to.clone(),
            _ => None,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        if matches!(self, Self::Forward { .. }) { "run" } else { "rollback" }
    }
}

/// What is kept of an order in the master database.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptOrder {
    pub aim: FleetAim,
    pub per_server: usize,
    /// How many may fail.
    pub failures: usize,
    pub overrides: Vec<Override>,
    pub no_backup: Option<String>,
    pub despite_releases: Option<String>,
    pub wait_for_lock_ms: u64,
}

impl KeptOrder {
    pub(super) fn of(order: &FleetOrder, fleet: &Fleet, targets: usize) -> Self {
        Self {
            aim: order.aim.clone(),
            per_server: order.per_server.unwrap_or(fleet.per_server).max(1),
            failures: order.failure_budget.unwrap_or(fleet.failure_budget).of(targets),
            overrides: order.overrides.clone(),
            no_backup: order.no_backup.clone(),
            despite_releases: order.despite_releases.clone(),
            wait_for_lock_ms: order.wait_for_lock.as_millis() as u64,
        }
    }
}

/// Whether a database, `host:port/name`, is called so, or so without its server.
fn is_called(name: &str, called: &str) -> bool {
    name == called || name.rsplit('/').next() == Some(called)
}

/// Those who should go first and are not there.
pub(super) fn missing<'a>(names: &[String], canary: &'a Canary) -> Vec<&'a str> {
    let Canary::Named(first) = canary else { return Vec::new() };
    let first = first.iter().map(String::as_str);
    first.filter(|one| !names.iter().any(|name| is_called(name, one))).collect()
}

/// The wave of each database, by its place in the list: 0 for those that go first.
pub(super) fn waves(names: &[String], canary: &Canary, size: usize) -> Vec<i32> {
    let first = |place: usize, name: &str| match canary {
        Canary::First(count) => place < *count,
        Canary::Named(named) => named.iter().any(|one| is_called(name, one)),
    };
    let mut after = 0;
    let mut wave = |place: usize, name: &str| {
        if first(place, name) {
            return 0;
        }
        after += 1;
        i32::try_from((after - 1) / size.max(1) + 1).unwrap_or(i32::MAX)
    };
    names.iter().enumerate().map(|(place, name)| wave(place, name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canaries_go_first_and_the_others_so_many_at_a_time() {
        let names: Vec<String> = ["h:1/a", "h:1/b", "h:2/a", "h:2/c", "h:2/d"].map(str::to_owned).to_vec();
        assert_eq!(waves(&names, &Canary::First(2), 2), [0, 0, 1, 1, 2]);
        assert_eq!(waves(&names, &Canary::First(0), 9), [1, 1, 1, 1, 1]);
        let named = |names: &[&str]| Canary::Named(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(waves(&names, &named(&["a"]), 1), [0, 1, 0, 2, 3]);
        assert_eq!(waves(&names, &named(&["h:2/a"]), 2), [1, 1, 0, 2, 2]);
    }
}
