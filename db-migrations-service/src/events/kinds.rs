//! The types of events that there are.

use migration_engine::Event;

/// Those that are no run's own.
const OTHERS: &[&str] = &[
    "run_started",
    "run_ended",
    "backup_started",
    "backup_finished",
    "backup_failed",
    "backup_cancelled",
    "backup_interrupted",
    "verification_started",
    "verification_finished",
    "verification_failed",
    "verification_cancelled",
    "restore_started",
    "restore_finished",
    "restore_failed",
    "restore_cancelled",
    "restore_interrupted",
    "drift_found",
    "drift_resolved",
    "audit_found",
    "audit_resolved",
    "alert_fired",
    "alert_resolved",
    "release_started",
    "release_ended",
    "gap",
    "resume",
];

/// All that this release tells.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    Event::TYPES.iter().chain(OTHERS).copied()
}
