//! A backup as it is shown: what the storage has of it, what the master database knows, what is being done with it.

use backup_vault::Manifest;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::job::BackupHandle;
use super::job_view::{ErrorView, JobView};
use super::refusal::DAMAGED;
use super::restore_view::RestoreView;
use crate::master::backups::{BackupRecord, BackupState};
use crate::master::restores::RestoreRecord;

/// Where a backup stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupStatus {
    /// It is being made.
    Running,
    /// It is in the storage, and nothing speaks against it.
    Ready,
    /// It is in the storage and cannot be restored as it was.
    Damaged,
    /// It was made, and is no longer in the storage.
    Missing,
    /// It was not made.
    Failed,
    /// Somebody stopped its making.
    Cancelled,
    /// The process that made it died.
    Interrupted,
    /// It was deleted.
    Deleted,
}

impl BackupStatus {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::Running,
        Self::Ready,
        Self::Damaged,
        Self::Missing,
        Self::Failed,
        Self::Cancelled,
        Self::Interrupted,
        Self::Deleted,
    ];

    /// The word in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Damaged => "damaged",
            Self::Missing => "missing",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Deleted => "deleted",
        }
    }

    /// Whether there is something of it, or will be.
    pub(super) fn is_listed(self) -> bool {
        matches!(self, Self::Running | Self::Ready | Self::Damaged)
    }
}

impl From<BackupState> for BackupStatus {
    fn from(state: BackupState) -> Self {
        match state {
            BackupState::Running => Self::Running,
            // Asked only of those that the storage does not have.
            BackupState::Ready => Self::Missing,
            BackupState::Failed => Self::Failed,
            BackupState::Cancelled => Self::Cancelled,
            BackupState::Interrupted => Self::Interrupted,
            BackupState::Deleted => Self::Deleted,
        }
    }
}

/// What a verification has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerificationStatus {
    /// It was never restored and compared.
    Unverified,
    /// It was restored, and was equal.
    Verified,
    /// It could not be restored, or was not equal.
    Failed,
}

/// The last verification.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerificationView {
    /// `unverified`, `verified` or `failed`.
    pub status: VerificationStatus,
    /// When.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<OffsetDateTime>,
    /// How long it took, milliseconds.
    pub duration_ms: Option<u64>,
    /// What was wrong, a sentence each.
    pub findings: Vec<String>,
}

/// A backup.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupView {
    /// Its id.
    #[schema(example = "20260923-080509-auth-service-abcdef")]
    pub backup_id: String,
    /// The service that it is of; null where it is of several, or of a whole database.
    #[schema(example = "auth-service")]
    pub service: Option<String>,
    /// The services that it is of; empty for a whole database.
    pub services: Vec<String>,
    /// The environment that it is of.
    pub environment: String,
    /// `running`, `ready`, `damaged`, `missing`, `failed`, `cancelled`, `interrupted` or `deleted`.
    pub status: BackupStatus,
    /// Its size in the storage, bytes; 0 before it is there.
    pub size: u64,
    /// When its data was as it has it; while it is being made, when that began.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
    /// When it was complete, or was given up.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<OffsetDateTime>,
    /// What it is for.
    pub description: Option<String>,
    /// How long to keep it, days; null is what the rules say.
    pub retention_days: Option<u32>,
    /// Who asked for it.
    pub made_by: String,
    /// The database that it is of; null before it is there.
    pub database: Option<String>,
    /// How many tables' rows it has.
    pub tables: Option<usize>,
    /// How many rows.
    pub rows: Option<u64>,
    /// The newest migration that was applied, `<schema>/<version>`.
    pub migration: Option<String>,
    /// The version of its server, as `server_version_num`.
    pub server_version_num: Option<u32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The master database knows nothing of its making: it was found in the storage.
    pub found: bool,
    /// What its last verification has shown.
    pub verification: VerificationView,
    /// What is being done with it in this process, or was done last; absent where nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobView>,
    /// How far its making had come when the process that makes it last told, where that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub progress: Option<Value>,
    /// Why it was not made, or cannot be restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ErrorView>)]
    pub error: Option<Value>,
    /// What it was restored into, the newest first; absent in lists and where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restores: Vec<RestoreView>,
    /// The backup that is made instead of it, where its copy of the service ended before it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continued_by: Option<String>,
    /// Where one was begun of each of several databases, all of these; the members above are those of the first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    pub databases: Vec<BackupView>,
}

/// All that is known of one.
#[derive(Clone)]
pub(super) struct Found {
    pub id: String,
    pub record: Option<BackupRecord>,
    /// What the storage has; `None` is nothing.
    pub manifest: Option<Result<Manifest, String>>,
    pub job: Option<BackupHandle>,
    /// Where they were looked up.
    pub restores: Vec<RestoreRecord>,
}

impl Found {
    /// What its manifest says, where that is believed.
    pub(super) fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref().and_then(|manifest| manifest.as_ref().ok())
    }

    /// The services that it is of, empty for a whole database. `None` where nobody can say.
    pub(super) fn services(&self) -> Option<&[String]> {
        // The record was written by this service, a manifest lies where others may write.
        let record = self.record.as_ref().map(|record| record.services.as_slice());
        record.or_else(|| self.manifest().map(|manifest| manifest.scope.services.as_slice()))
    }

    /// The environment that it is of.
    pub(super) fn environment(&self) -> Option<&str> {
        let record = self.record.as_ref().map(|record| record.environment.as_str());
        record.or_else(|| self.manifest().map(|manifest| manifest.environment.as_str()))
    }

    /// Why what is in the storage is not what was put there, as far as can be said without restoring it.
    pub(super) fn damage(&self) -> Option<String> {
        match self.manifest.as_ref()? {
            Err(reason) => Some(reason.clone()),
            Ok(manifest) => {
                let made = self.record.as_ref()?.manifest_sha256.as_deref()?;
                (made != manifest.sha256).then(|| "the manifest is not the one that it was made with".to_owned())
            }
        }
    }

    fn status(&self) -> BackupStatus {
        let failed = self.record.as_ref().is_some_and(|record| !record.findings.is_empty());
        match (&self.manifest, &self.record) {
            (Some(_), _) if failed || self.damage().is_some() => BackupStatus::Damaged,
            (Some(_), _) => BackupStatus::Ready,
            (None, Some(record)) => record.state.into(),
            (None, None) => BackupStatus::Missing,
        }
    }

    fn verification(&self) -> VerificationView {
        let record = self.record.as_ref();
        let at = record.and_then(|record| record.verified_at);
        let findings = record.map(|record| record.findings.clone()).unwrap_or_default();
        let status = match (at, findings.is_empty()) {
            (None, _) => VerificationStatus::Unverified,
            (Some(_), true) => VerificationStatus::Verified,
            (Some(_), false) => VerificationStatus::Failed,
        };
        let duration_ms = record.and_then(|record| u64::try_from(record.verification_ms?).ok());
        VerificationView { status, at, duration_ms, findings }
    }

    /// What this process knows of a restore of its own, and has perhaps not written down yet.
    fn now(&self, kept: &RestoreRecord) -> RestoreRecord {
        let ours = self.job.as_ref().and_then(BackupHandle::restore).filter(|ours| ours.id == kept.id);
        ours.unwrap_or_else(|| kept.clone())
    }

    pub(super) fn view(&self) -> BackupView {
        let (record, manifest) = (self.record.as_ref(), self.manifest());
        let services = self.services().unwrap_or_default().to_vec();
        let damage = self.damage().map(|message| {
            let cure = Some(DAMAGED.to_owned());
            serde_json::to_value(ErrorView { code: "backup_damaged".to_owned(), message, cure }).unwrap_or_default()
        });
        let status = self.status();
        let size = manifest.map(Manifest::stored_bytes);
        let kept_size = record.and_then(|record| u64::try_from(record.stored_bytes?).ok());
        let created_at = manifest.map(|m| m.created_at).or(record.map(|r| r.started_at));
        let finished_at = record.map_or_else(|| manifest.map(|m| m.finished_at), |r| r.finished_at);
        // In this order, so that none is shown to run whose job is over.
        let job = self.job.as_ref().map(BackupHandle::view);
        let restores = self.restores.iter().map(|kept| RestoreView::from(&self.now(kept))).collect();
        BackupView {
            service: match services.as_slice() {
                [one] => Some(one.clone()),
                _ => None,
            },
            services,
            environment: self.environment().unwrap_or_default().to_owned(),
            status,
            size: size.or(kept_size).unwrap_or_default(),
            created_at: created_at.unwrap_or(OffsetDateTime::UNIX_EPOCH),
            finished_at,
            description: record.map_or_else(|| manifest.and_then(|m| m.description.clone()), |r| r.description.clone()),
            retention_days: match (manifest, record) {
                (Some(manifest), _) => manifest.retention_days,
                (None, record) => record.and_then(|r| u32::try_from(r.retention_days?).ok()),
            },
            made_by: record
                .map(|r| r.actor.clone())
                .or_else(|| manifest.map(|m| m.made_by.clone()))
                .unwrap_or_default(),
            database: manifest.map(|m| m.database.clone()),
            tables: manifest.map(|m| m.tables.len()),
            rows: manifest.map(Manifest::rows),
            migration: manifest.and_then(|m| m.history.as_ref()?.migration.clone()),
            server_version_num: manifest.map(|m| m.server_version_num),
            encrypted: manifest.is_some_and(|m| !m.recipients.is_empty()),
            found: record.is_none(),
            verification: self.verification(),
            job,
            progress: record
                .filter(|_| status == BackupStatus::Running && self.job.is_none())
                .and_then(|r| r.progress.clone()),
            // One that is there was made, whatever its maker has heard of it.
            error: damage.or_else(|| record.filter(|_| status != BackupStatus::Ready).and_then(|r| r.error.clone())),
            restores,
            continued_by: record.and_then(|record| record.continued_by.clone()),
            databases: Vec::new(),
            backup_id: self.id.clone(),
        }
    }
}
