//! What a run would do, in order, and why in that order.

use serde::Serialize;

use crate::migration::MigrationId;
use crate::run::pieces::Cuts;

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedMigration {
    /// Which migration.
    pub migration: MigrationId,
    /// The service that owns its schema.
    pub service: String,
    /// Its intent, from the file name.
    pub name: String,
    /// How many statements it has.
    pub statements: usize,
    /// One transaction (true), or statement by statement with a journal (false).
    pub transactional: bool,
    /// Older than the newest applied migration of its schema.
    pub late: bool,
    /// Belongs to another service than the one asked for, and comes along because something asked for needs it.
    pub prerequisite: bool,
    /// How many statements an earlier, interrupted run has already done.
    pub resume_after: usize,
    /// The pending migrations that it waits for.
    pub waits_for: Vec<MigrationId>,
    /// The migrations whose old shape it takes away: it is held while a live release still needs that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contract_of: Vec<MigrationId>,
    /// The migrations in other databases that must be applied before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs_elsewhere: Vec<MigrationId>,
    /// Tables whose rows it fills batch by batch, `schema.name`; absent where it has no backfill.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fills: Vec<String>,
    /// The SQL that would be run (the down SQL for a rollback).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// It sets something for the rest of its session.
    #[serde(skip)]
    pub(crate) sets_session: bool,
    /// Where in the SQL its statements stand.
    #[serde(skip)]
    pub(crate) cuts: Cuts,
}

/// A backup that was made before migrations were applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CoveringBackup {
    /// The backup's name.
    pub backup_id: String,
    /// The migrations that the run that it covers has applied, of those of the plan.
    pub migrations: Vec<MigrationId>,
    /// The command that restores it.
    pub command: String,
}

/// An ordered plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Steps, first to last.
    pub migrations: Vec<PlannedMigration>,
    /// What the operator should know before: late and missing migrations, a catalogue that changed.
    pub notes: Vec<String>,
    /// Whether roles, schemas or grants of the catalogue must be brought in place first.
    pub prepares_target: bool,
    /// For a rollback the backups of before what it takes back, where whoever asks for the plan knows of any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backups: Vec<CoveringBackup>,
    /// Relations that stand already and are changed, as quoted names.
    #[serde(skip)]
    pub(crate) touches: Vec<String>,
}

impl Plan {
    /// Nothing to do at all.
    pub fn is_empty(&self) -> bool {
        self.migrations.is_empty() && !self.prepares_target
    }
}
