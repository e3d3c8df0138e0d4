//! What was counted, by this process and all others, and what this process is.

use crate::monitor::exposition::{Exposition, Kind};
use crate::monitor::meters::{CLASSES, Meter, Meters, Tally};
use crate::operations::{RunKind, RunState};

/// What a run can be …
const KINDS: [RunKind; 4] = [RunKind::Run, RunKind::Rollback, RunKind::Seed, RunKind::SeedReset];
/// … and how it can end.
const OUTCOMES: [RunState; 4] = [RunState::Completed, RunState::Failed, RunState::Cancelled, RunState::Interrupted];
/// The same of work on backups.
const ACTIONS: [&str; 3] = ["create", "verify", "restore"];
const ACTION_OUTCOMES: [&str; 3] = ["completed", "failed", "cancelled"];

/// The values of a metric's labels, in the order of their names.
type Series<'a> = Vec<Vec<&'a str>>;

/// Each series that there can be is there from the beginning, at 0: of one that appears with its first event, Prometheus would
/// not see that it has grown.
pub(super) fn write(text: &mut Exposition, meters: &Meters, environments: &[&str]) {
    text.family("profe_migration_build_info", Kind::Gauge, "Always 1; which version of the service this is.")
        .value(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    let mut waiting = text.family(
        "profe_migration_lock_waiting_seconds",
        Kind::Gauge,
        "For how long the run under way in this process has waited for a lock of somebody else; 0 when it does not.",
    );
    for environment in environments {
        waiting.value(&[("environment", environment)], meters.waiting_s(environment));
    }
    // Not before it is known: it would jump from 0 to all that ever was.
    if let Some(tally) = meters.by_all() {
        histograms(text, &tally, environments);
        counters(text, &tally, environments);
    }
}

fn histograms(text: &mut Exposition, tally: &Tally, environments: &[&str]) {
    let each = || by(environments, &[&[]]);
    let ends: Vec<_> =
        KINDS.iter().flat_map(|kind| OUTCOMES.map(|outcome| vec![kind.as_str(), outcome.as_str()])).collect();
    let ends: Vec<&[&str]> = ends.iter().map(Vec::as_slice).collect();
    let actions = ACTIONS.iter().flat_map(|action| ACTION_OUTCOMES.map(|outcome| vec![*action, outcome])).collect();
    let all: [(&'static str, &'static str, &[&'static str], Meter, Series<'_>); 5] = [
        (
            "profe_migration_run_duration_seconds",
            "How long runs, rollbacks and seedings took in all.",
            &["environment", "kind", "outcome"],
            Meter::Runs,
            by(environments, &ends),
        ),
        (
            "profe_migration_apply_duration_seconds",
            "How long it took to apply a migration, or to take it back.",
            &["environment"],
            Meter::Migrations,
            each(),
        ),
        (
            "profe_migration_statement_duration_seconds",
            "How long each statement of a migration took.",
            &["environment"],
            Meter::Statements,
            each(),
        ),
        (
            "profe_migration_lock_wait_duration_seconds",
            "How long migrations waited for locks of others, once the wait was over.",
            &["environment"],
            Meter::LockWaits,
            each(),
        ),
        (
            "profe_migration_backup_duration_seconds",
            "How long it took to make, verify or restore a backup.",
            &["action", "outcome"],
            Meter::Backups,
            actions,
        ),
    ];
    for (name, help, names, meter, series) in all {
        let mut family = text.family(name, Kind::Histogram, help);
        for labels in series {
            let histogram = tally.get(meter, &labels);
            family.histogram(&pairs(names, &labels), histogram.up_to(), histogram.count, histogram.sum_s);
        }
    }
}

fn counters(text: &mut Exposition, tally: &Tally, environments: &[&str]) {
    let each = || by(environments, &[&[]]);
    let classes: Vec<&[&str]> = CLASSES.iter().map(std::slice::from_ref).collect();
    let all: [(&'static str, &'static str, &[&'static str], Meter, Series<'_>); 3] = [
        (
            "profe_migration_lock_retries_total",
            "Migrations taken back to be tried again since a lock was not had in time.",
            &["environment"],
            Meter::Retries,
            each(),
        ),
        (
            "profe_migration_lock_yields_total",
            "Migrations taken back to let others pass who had waited for them.",
            &["environment"],
            Meter::Yields,
            each(),
        ),
        (
            "profe_migration_run_failures_total",
            "Runs that failed, by the class of PostgreSQL's error code; none where PostgreSQL raised no error, other where \
             somebody's function raised one of its own.",
            &["environment", "sqlstate_class"],
            Meter::Failures,
            by(environments, &classes),
        ),
    ];
    for (name, help, names, meter, series) in all {
        let mut family = text.family(name, Kind::Counter, help);
        for labels in series {
            family.value(&pairs(names, &labels), tally.get(meter, &labels).count as f64);
        }
    }
}

/// Every environment with each of these.
fn by<'a>(environments: &[&'a str], rest: &[&[&'a str]]) -> Series<'a> {
    let one = |environment: &&'a str| rest.iter().map(|rest| [&[*environment], *rest].concat()).collect::<Vec<_>>();
    environments.iter().flat_map(one).collect()
}

fn pairs<'a>(names: &[&'a str], labels: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    names.iter().copied().zip(labels.iter().copied()).collect()
}
