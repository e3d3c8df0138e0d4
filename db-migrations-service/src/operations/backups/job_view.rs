//! A job as it is shown.

use std::sync::atomic::Ordering;

use backup_vault::Progress;
use backup_vault::manifest::OutsideKey;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::job::{BackupHandle, Done, Restoring};
use super::restore_view::{RestoreStage, RestoredTableView};
use crate::master::restores::RestoreKind;
use crate::operations::OperationError;

/// What is done with a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupAction {
    /// It is made.
    Create,
    /// It is restored into a scratch database and compared.
    Verify,
    /// It is restored.
    Restore,
}

impl BackupAction {
    /// In words, as in "is being …".
    pub(super) fn participle(self) -> &'static str {
        match self {
            Self::Create => "made",
            Self::Verify => "verified",
            Self::Restore => "restored",
        }
    }
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Under way.
    Running,
    /// Done.
    Completed,
    /// It failed; what was begun was taken back.
    Failed,
    /// Somebody stopped it; what was begun was taken back.
    Cancelled,
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressView {
    /// Bytes so far, before compression.
    pub bytes: u64,
    /// About how many there will be; 0 until that is known.
    pub expected_bytes: u64,
    /// Rows so far.
    pub rows: u64,
    /// Tables so far.
    pub tables: u64,
    /// How many tables there are.
    pub expected_tables: u64,
}

impl From<&Progress> for ProgressView {
    fn from(progress: &Progress) -> Self {
        let read = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::Relaxed);
        Self {
            bytes: read(&progress.bytes),
            expected_bytes: read(&progress.expected_bytes),
            rows: read(&progress.rows),
            tables: read(&progress.tables),
            expected_tables: read(&progress.expected_tables),
        }
    }
}

/// Why something did not happen.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErrorView {
    /// A stable code.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// What to do now.
    pub cure: Option<String>,
}

impl From<&OperationError> for ErrorView {
    fn from(error: &OperationError) -> Self {
        Self { code: error.code(), message: error.to_string(), cure: error.cure().map(str::to_owned) }
    }
}

/// A foreign key that stands unchecked after a restore.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UncheckedKey {
    /// Whose it is, `<schema>.<table>`.
    pub table: String,
    /// Its name.
    pub name: String,
    /// What it references, which was not in the backup.
    pub references: String,
}

impl From<&OutsideKey> for UncheckedKey {
    fn from(key: &OutsideKey) -> Self {
        Self { table: key.table.to_string(), name: key.name.clone(), references: key.references.to_string() }
    }
}

/// What this process does with a backup, or did last.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobView {
    /// `create`, `verify` or `restore`.
    pub action: BackupAction,
    /// `running`, `completed`, `failed` or `cancelled`.
    pub status: JobStatus,
    /// Who asked for it.
    pub actor: String,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub started_at: OffsetDateTime,
    /// How far it has come.
    pub progress: ProgressView,
    /// The new database that it restores into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub into: Option<String>,
    /// The restore's number, by which the backup's `restores` have it for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_id: Option<Uuid>,
    /// What a restore into the live database does now: `safety_backup`, `restoring`, `comparing`, `copying` or `swapping`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<RestoreStage>,
    /// The backup of what was there before, made first by a restore in place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safety_backup: Option<String>,
    /// The schemas that a restore in place makes what they were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<String>,
    /// The tables that are restored beside the live ones, with the names that they get.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<RestoredTableView>,
    /// Foreign keys that stand unchecked in it, since what they reference was not in the backup.
    pub unchecked_keys: Vec<UncheckedKey>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorView>,
}

impl JobView {
    pub(super) fn of(handle: &BackupHandle) -> Self {
        let (job, end) = (&handle.0, handle.end());
        let status = match &end {
            None => JobStatus::Running,
            Some(Ok(_)) => JobStatus::Completed,
            Some(Err(error)) if is_cancelled(error) => JobStatus::Cancelled,
            Some(Err(_)) => JobStatus::Failed,
        };
        let unchecked_keys = match &end {
            Some(Ok(Done::Restored(restored))) => restored.unchecked_keys.iter().map(UncheckedKey::from).collect(),
            _ => Vec::new(),
        };
        let restore = job.restoring.as_ref().map(Restoring::record);
        let tables = job.restoring.iter().flat_map(|restoring| &restoring.tables);
        Self {
            action: job.action,
            status,
            actor: job.actor.clone(),
            started_at: job.started_at,
            progress: handle.progress(),
            into: restore.as_ref().filter(|restore| restore.kind == RestoreKind::New).map(|r| r.database.clone()),
            restore_id: restore.as_ref().map(|restore| restore.id),
            stage: handle.stage(),
            safety_backup: restore.as_ref().and_then(|restore| restore.safety_backup.clone()),
            schemas: restore.map(|restore| restore.schemas).unwrap_or_default(),
            tables: tables.map(RestoredTableView::from).collect(),
            unchecked_keys,
            error: end.as_ref().and_then(|end| end.as_ref().err()).map(ErrorView::from),
        }
    }
}

pub(super) fn is_cancelled(error: &OperationError) -> bool {
    error.engine().is_some_and(|error| error.code == migration_engine::ErrorCode::Cancelled)
}
