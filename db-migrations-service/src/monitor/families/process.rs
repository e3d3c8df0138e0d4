//! What happened in this process since it began.

use crate::monitor::exposition::{Exposition, Kind};
use crate::monitor::meters::{ByLabels, Histogram, Meters};

pub(super) fn write(text: &mut Exposition, meters: &Meters) {
    text.family("profe_migration_build_info", Kind::Gauge, "Always 1; which version of the service this is.")
        .value(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    histograms(
        text,
        "profe_migration_run_duration_seconds",
        "How long runs, rollbacks and seedings took in all.",
        ["environment", "kind", "outcome"],
        &meters.runs,
    );
    histograms(
        text,
        "profe_migration_apply_duration_seconds",
        "How long it took to apply a migration, or to take it back.",
        ["environment"],
        &meters.migrations,
    );
    histograms(
        text,
        "profe_migration_statement_duration_seconds",
        "How long each statement of a migration took.",
        ["environment"],
        &meters.statements,
    );
    histograms(
        text,
        "profe_migration_lock_wait_duration_seconds",
        "How long migrations waited for locks of others, once the wait was over.",
        ["environment"],
        &meters.lock_waits,
    );
    let mut waiting = text.family(
        "profe_migration_lock_waiting_seconds",
        Kind::Gauge,
        "For how long the run under way has waited for a lock of somebody else; 0 when it does not.",
    );
    meters.waiting_s.each(|[environment], s| waiting.value(&[("environment", environment)], *s));
    counters(
        text,
        "profe_migration_lock_retries_total",
        "Migrations taken back to be tried again since a lock was not had in time.",
        ["environment"],
        &meters.retries,
    );
    counters(
        text,
        "profe_migration_lock_yields_total",
        "Migrations taken back to let others pass who had waited for them.",
        ["environment"],
        &meters.yields,
    );
    counters(
        text,
        "profe_migration_run_failures_total",
        "Runs that failed, by the class of PostgreSQL's error code; none where PostgreSQL raised no error.",
        ["environment", "sqlstate_class"],
        &meters.failures,
    );
    histograms(
        text,
        "profe_migration_backup_duration_seconds",
        "How long it took to make, verify or restore a backup.",
        ["action", "outcome"],
        &meters.backups,
    );
}

fn histograms<const N: usize>(
    text: &mut Exposition,
    name: &'static str,
    help: &'static str,
    labels: [&'static str; N],
    values: &ByLabels<N, Histogram>,
) {
    let mut family = text.family(name, Kind::Histogram, help);
    values.each(|words, histogram| {
        family.histogram(&pairs(labels, words), histogram.up_to(), histogram.count, histogram.sum_s);
    });
}

fn counters<const N: usize>(
    text: &mut Exposition,
    name: &'static str,
    help: &'static str,
    labels: [&'static str; N],
    values: &ByLabels<N, u64>,
) {
    let mut family = text.family(name, Kind::Counter, help);
    values.each(|words, n| family.value(&pairs(labels, words), *n as f64));
}

fn pairs<'a, const N: usize>(labels: [&'a str; N], words: [&'a str; N]) -> [(&'a str, &'a str); N] {
    std::array::from_fn(|n| (labels[n], words[n]))
}
