//! Backups, as they are kept: who asked for them, how they ended, what was found out about them since.
//!
//! What there is to restore the storage says, and not this table; it holds what the storage cannot know.

use postgres_link::tokio_postgres::Row;
use postgres_link::tokio_postgres::types::Type;
use serde_json::Value;
use time::OffsetDateTime;

use super::events::{notify, turn};
use super::runs::select_running;
use super::{Master, MasterError};

/// How a backup's making ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupState {
    /// Under way.
    Running,
    /// It was made.
    Ready,
    /// It was not.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// Its process died.
    Interrupted,
    /// It was made, and deleted since.
    Deleted,
}

impl BackupState {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Deleted => "deleted",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Running, Self::Ready, Self::Failed, Self::Cancelled, Self::Interrupted, Self::Deleted];
        all.into_iter().find(|state| state.as_str() == word)
    }
}

/// What is kept of a backup.
#[derive(Debug, Clone)]
pub struct BackupRecord {
    /// Its name.
    pub id: String,
    /// The storage it lies in.
    pub storage: String,
    /// Of which environment.
    pub environment: String,
    /// Of which services; empty is the whole database.
    pub services: Vec<String>,
    /// What it is for.
    pub description: Option<String>,
    /// How long to keep it, days.
    pub retention_days: Option<i32>,
    /// How its making ended.
    pub state: BackupState,
    /// Who asked for it.
    pub actor: String,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it was over.
    pub finished_at: Option<OffsetDateTime>,
    /// How far it had come when its process last told.
    pub progress: Option<Value>,
    /// Its size in the storage, bytes.
    pub stored_bytes: Option<i64>,
    /// The checksum of its manifest when it was made.
    pub manifest_sha256: Option<String>,
    /// Why it was not made: code, message, cure.
    pub error: Option<Value>,
    /// When it was last verified.
    pub verified_at: Option<OffsetDateTime>,
    /// How long that took, milliseconds.
    pub verification_ms: Option<i64>,
    /// What was wrong with it then.
    pub findings: Vec<String>,
    /// When it was deleted.
    pub deleted_at: Option<OffsetDateTime>,
    /// By whom.
    pub deleted_by: Option<String>,
    /// How many more times another copy makes it anew, should this process end before it is made.
    pub goes_on: i32,
    /// The backup that is made instead of it.
    pub continued_by: Option<String>,
}

impl BackupRecord {
    /// One that begins at `started_at`, of which nothing else is known yet.
    pub fn begun(
        id: String,
        storage: &str,
        environment: String,
        services: Vec<String>,
        actor: String,
        started_at: OffsetDateTime,
    ) -> Self {
        Self {
            id,
            storage: storage.to_owned(),
            environment,
            services,
            description: None,
            retention_days: None,
            state: BackupState::Running,
            actor,
            request_id: None,
            started_at,
            finished_at: None,
            progress: None,
            stored_bytes: None,
            manifest_sha256: None,
            error: None,
            verified_at: None,
            verification_ms: None,
            findings: Vec::new(),
            deleted_at: None,
            deleted_by: None,
            goes_on: 0,
            continued_by: None,
        }
    }
}

/// The columns that [`record`] reads, in its order.
macro_rules! select_backups {
    ($rest:literal) => {
        concat!(
            "SELECT id, storage, environment, services, description, retention_days, state, actor, request_id, ",
            "started_at, finished_at, progress, stored_bytes, manifest_sha256, error, verified_at, verification_ms, ",
            "findings, deleted_at, deleted_by, goes_on, continued_by FROM migration_service.backup ",
            $rest
        )
    };
}

impl Master {
    /// Writes what is known of a backup now, unless somebody has deleted it meanwhile.
    pub async fn keep_backup(&self, backup: &BackupRecord) -> Result<(), MasterError> {
        let me = self.instance();
        self.query(
            "INSERT INTO migration_service.backup AS kept (id, storage, environment, services, description, \
               retention_days, state, actor, request_id, started_at, finished_at, progress, stored_bytes, manifest_sha256, \
               error, verified_at, verification_ms, findings, deleted_at, deleted_by, host, boot_id, pid, process_start, goes_on) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
               $23, $24, $25) \
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, seen_at = now(), \
               finished_at = excluded.finished_at, progress = excluded.progress, stored_bytes = excluded.stored_bytes, \
               manifest_sha256 = excluded.manifest_sha256, error = excluded.error, verified_at = excluded.verified_at, \
               verification_ms = excluded.verification_ms, findings = excluded.findings, \
               deleted_at = excluded.deleted_at, deleted_by = excluded.deleted_by \
             WHERE kept.state <> 'deleted'",
            &[
                (&backup.id, Type::TEXT),
                (&backup.storage, Type::TEXT),
                (&backup.environment, Type::TEXT),
                (&backup.services, Type::TEXT_ARRAY),
                (&backup.description, Type::TEXT),
                (&backup.retention_days, Type::INT4),
                (&backup.state.as_str(), Type::TEXT),
                (&backup.actor, Type::TEXT),
                (&backup.request_id, Type::TEXT),
                (&backup.started_at, Type::TIMESTAMPTZ),
                (&backup.finished_at, Type::TIMESTAMPTZ),
                (&backup.progress, Type::JSONB),
                (&backup.stored_bytes, Type::INT8),
                (&backup.manifest_sha256, Type::TEXT),
                (&backup.error, Type::JSONB),
                (&backup.verified_at, Type::TIMESTAMPTZ),
                (&backup.verification_ms, Type::INT8),
                (&backup.findings, Type::TEXT_ARRAY),
                (&backup.deleted_at, Type::TIMESTAMPTZ),
                (&backup.deleted_by, Type::TEXT),
                (&me.host, Type::TEXT),
                (&me.boot_id, Type::TEXT),
                (&me.pid, Type::INT4),
                (&me.process_start, Type::INT8),
                (&backup.goes_on, Type::INT4),
            ],
        )
        .await
        .map(drop)
    }

    /// A sign of life of a backup that is being made, with how far it has come.
    pub async fn backup_lives(&self, id: &str, progress: &Value) -> Result<(), MasterError> {
        self.query(
            "UPDATE migration_service.backup SET seen_at = now(), progress = $2 WHERE id = $1 AND state = 'running'",
            &[(&id, Type::TEXT), (progress, Type::JSONB)],
        )
        .await
        .map(drop)
    }

    /// The backup of this name.
    pub async fn backup(&self, storage: &str, id: &str) -> Result<Option<BackupRecord>, MasterError> {
        let rows = self
            .query(select_backups!("WHERE storage = $1 AND id = $2"), &[(&storage, Type::TEXT), (&id, Type::TEXT)])
            .await?;
        Ok(rows.first().and_then(record))
    }

    /// All that is kept of a storage's backups, without the deleted ones.
    pub async fn backups(&self, storage: &str) -> Result<Vec<BackupRecord>, MasterError> {
        let rows =
            self.query(select_backups!("WHERE storage = $1 AND state <> 'deleted'"), &[(&storage, Type::TEXT)]).await?;
        Ok(rows.iter().filter_map(record).collect())
    }

    /// Marks the backups of processes that are gone as interrupted, and tells it; returns how many.
    pub async fn settle_backups(&self) -> Result<usize, MasterError> {
        let told = concat!(
            "WITH ended AS (UPDATE migration_service.backup SET state = 'interrupted', finished_at = seen_at, \
               error = jsonb_build_object('code', 'interrupted', \
                 'message', 'the process that made it is gone: ' || host || ', process ' || pid, \
                 'cure', CASE WHEN goes_on > 0 THEN 'wait: another copy of the service makes it anew, and continuedBy names that' \
                   WHEN actor = 'system:schedule' THEN 'wait: its schedule makes another one within minutes; nothing of this one can be restored' \
                   ELSE 'make another one; nothing of this one can be restored' END) \
               WHERE id = ANY ($1) AND state = 'running' RETURNING *), ",
            turn!(),
            ", told AS (INSERT INTO migration_service.event (at, type, environment, service, event) \
               SELECT now(), 'backup_interrupted', environment, CASE cardinality(services) WHEN 1 THEN services[1] END, \
                 jsonb_build_object('type', 'backup_interrupted', 'backupId', id, 'services', services, 'actor', actor) \
               FROM ended, turn ORDER BY id RETURNING *)",
            notify!()
        );
        self.settle_left::<String>(select_running!("backup"), told, Type::TEXT_ARRAY).await
    }

    /// What was not made is of interest for a while.
    pub(super) async fn forget_attempts(&self) -> Result<(), MasterError> {
        self.query(
            "DELETE FROM migration_service.backup WHERE state IN ('failed', 'cancelled', 'interrupted') \
             AND finished_at < now() - interval '90 days'",
            &[],
        )
        .await
        .map(drop)
    }
}

/// A word that this program does not know was written by a newer one; such a backup is left out.
fn record(row: &Row) -> Option<BackupRecord> {
    Some(BackupRecord {
        id: row.get(0),
        storage: row.get(1),
        environment: row.get(2),
        services: row.get(3),
        description: row.get(4),
        retention_days: row.get(5),
        state: BackupState::from_word(row.get(6))?,
        actor: row.get(7),
        request_id: row.get(8),
        started_at: row.get(9),
        finished_at: row.get(10),
        progress: row.get(11),
        stored_bytes: row.get(12),
        manifest_sha256: row.get(13),
        error: row.get(14),
        verified_at: row.get(15),
        verification_ms: row.get(16),
        findings: row.get(17),
        deleted_at: row.get(18),
        deleted_by: row.get(19),
        goes_on: row.get(20),
        continued_by: row.get(21),
    })
}
