//! Where a target stands.

use serde::Serialize;
use uuid::Uuid;

use crate::audit::AuditHead;
use crate::error::EngineError;
use crate::event::Outcome;
use crate::migration::MigrationId;

/// The state of one migration on one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MigrationState {
    /// In the target, and its file is as it was applied.
    Applied,
    /// Not in the target yet.
    Pending,
    /// Pending, and older than the newest applied of its schema: it will be applied in its place and reported.
    Late,
    /// Applied, but its file says something else now: a run is refused until it is blessed or restored.
    Edited,
    /// Applied, but its file is gone. It can still be rolled back: its down SQL stands in the history.
    Missing,
    /// Tried, and failed. It is tried again by the next run.
    Failed,
    /// Statement by statement, and interrupted in the middle: the next run resumes it, or the next rollback where it
    /// was being taken back.
    Interrupted,
}

/// One migration on one target.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrationStatus {
    /// Which.
    pub migration: MigrationId,
    /// The service that owns its schema.
    pub service: String,
    /// Its intent.
    pub name: String,
    /// Its state.
    pub state: MigrationState,
    /// When it was applied, RFC 3339.
    #[serde(with = "time::serde::rfc3339::option")]
    pub applied_at: Option<time::OffsetDateTime>,
    /// Why it failed last time.
    pub error: Option<Box<EngineError>>,
    /// How far its backfills have come, where it is under way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backfills: Vec<BackfillStatus>,
}

/// One UPDATE that is run batch by batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackfillStatus {
    /// Which statement of the migration, 1-based.
    pub statement: usize,
    /// The table, `schema.name`.
    pub relation: String,
    /// Rows behind it.
    pub rows_done: u64,
    /// About how many there are.
    pub rows_estimated: u64,
    /// Of its last batches, rows in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_per_second: Option<f64>,
    /// How many batches it took so far.
    pub batches: u64,
    /// Every row is filled; what is left is the contract.
    pub is_filled: bool,
    /// What it waits for, in words: a standby, the load, a release that holds the contract.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// When it was begun, RFC 3339.
    #[serde(with = "time::serde::rfc3339::option")]
    pub begun_at: Option<time::OffsetDateTime>,
    /// When it was last heard of, RFC 3339.
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<time::OffsetDateTime>,
}

/// One service on one target.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// Its catalogue name.
    pub name: String,
    /// The schemas it owns.
    pub schemas: Vec<String>,
    /// Its migrations, in version order per schema.
    pub migrations: Vec<MigrationStatus>,
}

impl ServiceStatus {
    /// Migrations in any of `states`.
    pub fn count(&self, states: &[MigrationState]) -> usize {
        self.migrations.iter().filter(|m| states.contains(&m.state)).count()
    }
}

/// A whole target.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// The environment.
    pub environment: String,
    /// The database's name.
    pub database: String,
    /// PostgreSQL's version, as `server_version_num`.
    pub server_version_num: u32,
    /// Every service of the catalogue, in its order, whether or not it has migrations.
    pub services: Vec<ServiceStatus>,
    /// Whether roles, schemas and grants stand as the catalogue says.
    pub prepared: bool,
    /// Why nobody records who changes the schema there; absent where it is recorded, or nothing was ever applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_off: Option<String>,
}

/// How a run or a rollback ended.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// The run.
    pub run_id: Uuid,
    /// How it ended.
    pub outcome: Outcome,
    /// What was applied or taken back, in order.
    pub done: Vec<MigrationId>,
    /// What a dry run could not try: which, and why.
    pub not_tried: Vec<(MigrationId, String)>,
    /// What failed.
    pub error: Option<Box<EngineError>>,
    /// Wall time, milliseconds.
    pub duration_ms: u64,
    /// Where the audit's chain ends now, to be kept outside of the target.
    #[serde(skip)]
    pub audit_head: Option<AuditHead>,
}

/// One line of the history.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// The row's id; grows with time.
    pub id: i64,
    /// Whose.
    pub service: String,
    /// Which.
    pub migration: MigrationId,
    /// Its intent.
    pub name: String,
    /// SHA-256 over its tokens (comments, blanks and line endings do not count), in hex.
    pub checksum: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub applied_at: time::OffsetDateTime,
    /// Who.
    pub applied_by: String,
    /// How long it took, milliseconds.
    pub duration_ms: i64,
    /// In which run.
    pub run_id: Uuid,
    /// Applied after a newer one of its schema.
    pub late: bool,
    /// When it was taken back.
    #[serde(with = "time::serde::rfc3339::option")]
    pub rolled_back_at: Option<time::OffsetDateTime>,
    /// Who took it back.
    pub rolled_back_by: Option<String>,
    /// In which run.
    pub rollback_run_id: Option<Uuid>,
    /// The hazards that it accepts, as its up SQL said when it was applied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<AcceptedHazard>,
    /// The SQL as applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_sql: Option<String>,
    /// The SQL that takes it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down_sql: Option<String>,
}

/// A hazard that a migration accepts: `-- accept: <hazard>: <why>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedHazard {
    /// Which.
    pub hazard: String,
    /// Why.
    pub reason: String,
}

/// The state of one seed file on one target.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeedStatus {
    /// The service that owns its schema.
    pub service: String,
    /// The schema folder.
    pub schema: String,
    /// The file's name without `.sql`.
    pub name: String,
    /// `applied`, `pending`, or `changed` since it was applied.
    pub state: SeedState,
    /// When it was last run.
    #[serde(with = "time::serde::rfc3339::option")]
    pub applied_at: Option<time::OffsetDateTime>,
    /// By whom.
    pub applied_by: Option<String>,
}

/// See [`SeedStatus::state`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SeedState {
    /// Run as it stands.
    Applied,
    /// Never run here.
    Pending,
    /// Run, but the file is another now.
    Changed,
}

/// What a seeding did.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeedReport {
    /// The run.
    pub run_id: Uuid,
    /// The files that were run, `schema/name`, in order.
    pub applied: Vec<String>,
    /// Rows written by their statements.
    pub rows: u64,
    /// Wall time, milliseconds.
    pub duration_ms: u64,
}
