//! What the service's own database keeps: backups, and what the watch has found; and where backups lie.

use super::{seconds, yes};
use crate::master::figures::{BackupFigures, MasterFigures};
use crate::master::findings::FindingKind;
use crate::monitor::exposition::{Exposition, Kind};
use crate::monitor::sample::Snapshot;

pub(super) fn write(text: &mut Exposition, snapshot: &Snapshot) {
    room(text, snapshot);
    let Some(master) = &snapshot.master else { return };
    text.family(
        "profe_migration_master_up",
        Kind::Gauge,
        "Whether the service's own database answered when it was last asked.",
    )
    .value(&[], yes(master.figures.is_ok()));
    text.family("profe_migration_master_sample_timestamp_seconds", Kind::Gauge, "When it was last asked.")
        .value(&[], seconds(master.at));
    if let Ok(figures) = &master.figures {
        backups(text, figures);
        findings(text, figures);
    }
}

fn room(text: &mut Exposition, snapshot: &Snapshot) {
    let Some(room) = snapshot.backup_room else { return };
    let help = "What is left on the disk of the backups' folder, where they are kept in one.";
    text.family("profe_migration_backup_storage_free_bytes", Kind::Gauge, help).value(&[], room.free_bytes as f64);
    text.family("profe_migration_backup_storage_size_bytes", Kind::Gauge, "The size of that disk.")
        .value(&[], room.size_bytes as f64);
}

fn backups(text: &mut Exposition, figures: &MasterFigures) {
    type Read = fn(&BackupFigures) -> Option<f64>;
    let all: [(&'static str, &'static str, Read); 8] = [
        ("profe_migration_backups", "Backups that were made, deleted ones aside.", |b| Some(b.ready as f64)),
        ("profe_migration_backup_last_attempt_success", "Whether the last attempt to make a backup made one.", |b| {
            b.last_attempt_succeeded.map(yes)
        }),
        ("profe_migration_backup_last_success_timestamp_seconds", "When the last backup was complete.", |b| {
            b.last_made_at.map(seconds)
        }),
        ("profe_migration_backup_last_duration_seconds", "How long its making took.", |b| b.last_duration_s),
        ("profe_migration_backup_last_size_bytes", "Its size in the storage.", |b| {
            b.last_stored_bytes.map(|bytes| bytes as f64)
        }),
        (
            "profe_migration_backup_last_verification_success",
            "Whether the last verification found a backup whole.",
            |b| b.last_verification_held.map(yes),
        ),
        (
            "profe_migration_backup_last_verified_timestamp_seconds",
            "When a backup was last restored, compared and found whole.",
            |b| b.last_verified_at.map(seconds),
        ),
        ("profe_migration_backup_last_verification_duration_seconds", "How long the last verification took.", |b| {
            b.last_verification_ms.map(|ms| ms as f64 / 1000.0)
        }),
    ];
    for (name, help, read) in all {
        let mut family = text.family(name, Kind::Gauge, help);
        for backup in &figures.backups {
            let labels = [("environment", backup.environment.as_str()), ("service", backup.service.as_str())];
            family.value_of(&labels, read(backup));
        }
    }
}

/// An environment that was looked at and has no finding has 0, so that what is gone is seen to be gone.
fn findings(text: &mut Exposition, figures: &MasterFigures) {
    let mut looked = text.family(
        "profe_migration_watch_last_look_timestamp_seconds",
        Kind::Gauge,
        "When the live schema was last held against its migrations, and the audit against where it ended before.",
    );
    for look in &figures.looks {
        looked.value_of(&[("environment", &look.environment)], look.looked_at.map(seconds));
    }
    let mut trouble =
        text.family("profe_migration_watch_trouble", Kind::Gauge, "Whether that look could not see all of it.");
    for look in &figures.looks {
        trouble.value(&[("environment", &look.environment)], yes(look.in_trouble));
    }
    let mut intact = text.family(
        "profe_migration_audit_chain_intact",
        Kind::Gauge,
        "Whether the record of who changed the schema was whole when it was last looked at.",
    );
    for look in figures.looks.iter().filter(|look| look.looked_at.is_some()) {
        let is_broken = figures
            .findings
            .iter()
            .any(|f| is(f.kind.as_str(), FindingKind::Audit) && f.environment == look.environment);
        intact.value(&[("environment", &look.environment)], yes(!is_broken));
    }
    let mut drift = text.family(
        "profe_migration_drift_findings",
        Kind::Gauge,
        "Differences between the live schema and what its migrations make; without a service, those in the whole target.",
    );
    for look in figures.looks.iter().filter(|look| look.looked_at.is_some()) {
        let here =
            || figures.findings.iter().filter(|f| is(&f.kind, FindingKind::Drift) && f.environment == look.environment);
        for finding in here().filter(|finding| finding.service.is_some()) {
            let service = finding.service.as_deref().unwrap_or_default();
            drift.value(&[("environment", &look.environment), ("service", service)], finding.open as f64);
        }
        let whole = here().filter(|finding| finding.service.is_none()).map(|finding| finding.open).sum::<i64>();
        drift.value(&[("environment", &look.environment), ("service", "")], whole as f64);
    }
}

fn is(word: &str, kind: FindingKind) -> bool {
    word == kind.as_str()
}
