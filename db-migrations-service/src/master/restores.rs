//! Restores, as they are kept: who asked for them, of what, into what, and how they ended.

use postgres_link::tokio_postgres::Row;
use postgres_link::tokio_postgres::types::Type;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::events::{notify, turn};
use super::runs::select_running;
use super::{Master, MasterError};

/// How a restore ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreState {
    /// Under way.
    Running,
    /// All of it is there.
    Completed,
    /// Nothing of it is.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// Its process died.
    Interrupted,
}

impl RestoreState {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Running, Self::Completed, Self::Failed, Self::Cancelled, Self::Interrupted];
        all.into_iter().find(|state| state.as_str() == word)
    }
}

/// What a restore restores into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreKind {
    /// A new database.
    New,
    /// The environment's own database: the schemas are swapped.
    InPlace,
    /// The environment's own database: tables beside the live ones.
    Tables,
}

impl RestoreKind {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::InPlace => "in_place",
            Self::Tables => "tables",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::New, Self::InPlace, Self::Tables].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What is kept of a restore.
#[derive(Debug, Clone)]
pub struct RestoreRecord {
    /// Its number.
    pub id: Uuid,
    /// Which backup.
    pub backup: String,
    /// The storage it lay in.
    pub storage: String,
    /// On the server of which environment.
    pub environment: String,
    /// Into what.
    pub kind: RestoreKind,
    /// Into which database.
    pub database: String,
    /// The schemas that were swapped.
    pub schemas: Vec<String>,
    /// What the restored tables are called.
    pub tables: Vec<String>,
    /// The backup of what was there before.
    pub safety_backup: Option<String>,
    /// How it ended.
    pub state: RestoreState,
    /// Who asked for it.
    pub actor: String,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it was over.
    pub finished_at: Option<OffsetDateTime>,
    /// Why it did not happen: code, message, cure.
    pub error: Option<Value>,
}

impl Master {
    /// Writes what is known of a restore now.
    pub async fn keep_restore(&self, restore: &RestoreRecord) -> Result<(), MasterError> {
        let me = self.instance();
        self.query(
            "INSERT INTO migration_service.restore (id, backup, storage, environment, kind, database, schemas, tables, \
               safety_backup, state, actor, request_id, started_at, finished_at, error, host, boot_id, pid, process_start) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) \
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, seen_at = now(), finished_at = excluded.finished_at, \
               safety_backup = excluded.safety_backup, error = excluded.error",
            &[
                (&restore.id, Type::UUID),
                (&restore.backup, Type::TEXT),
                (&restore.storage, Type::TEXT),
                (&restore.environment, Type::TEXT),
                (&restore.kind.as_str(), Type::TEXT),
                (&restore.database, Type::TEXT),
                (&restore.schemas, Type::TEXT_ARRAY),
                (&restore.tables, Type::TEXT_ARRAY),
                (&restore.safety_backup, Type::TEXT),
                (&restore.state.as_str(), Type::TEXT),
                (&restore.actor, Type::TEXT),
                (&restore.request_id, Type::TEXT),
                (&restore.started_at, Type::TIMESTAMPTZ),
                (&restore.finished_at, Type::TIMESTAMPTZ),
                (&restore.error, Type::JSONB),
                (&me.host, Type::TEXT),
                (&me.boot_id, Type::TEXT),
                (&me.pid, Type::INT4),
                (&me.process_start, Type::INT8),
            ],
        )
        .await
        .map(drop)
    }

    /// A sign of life of a restore that is under way.
    pub async fn restore_lives(&self, id: Uuid) -> Result<(), MasterError> {
        self.query(
            "UPDATE migration_service.restore SET seen_at = now() WHERE id = $1 AND state = 'running'",
            &[(&id, Type::UUID)],
        )
        .await
        .map(drop)
    }

    /// The restores of a backup, the newest first, at most a hundred.
    pub async fn restores(&self, storage: &str, backup: &str) -> Result<Vec<RestoreRecord>, MasterError> {
        let rows = self
            .query(
                "SELECT id, backup, storage, environment, kind, database, schemas, tables, safety_backup, state, actor, \
                   request_id, started_at, finished_at, error \
                 FROM migration_service.restore WHERE backup = $1 AND storage = $2 ORDER BY id DESC LIMIT 100",
                &[(&backup, Type::TEXT), (&storage, Type::TEXT)],
            )
            .await?;
        Ok(rows.iter().filter_map(record).collect())
    }

    /// Marks the restores of processes that are gone as interrupted, and tells it; returns how many.
    pub async fn settle_restores(&self) -> Result<usize, MasterError> {
        let told = concat!(
            "WITH ended AS (UPDATE migration_service.restore SET state = 'interrupted', finished_at = seen_at, \
               error = jsonb_build_object('code', 'interrupted', \
                 'message', 'the process that restored it is gone: ' || host || ', process ' || pid, \
                 'cure', CASE kind WHEN 'new' THEN 'restore it again; a database of that name is there only where all of it was restored' \
                   ELSE 'see `profe audit list`: it names the restore where all of it was done; where it does not, nothing was, so restore again' END) \
               WHERE id = ANY ($1) AND state = 'running' RETURNING *), \
             subject AS (SELECT ended.*, coalesce(b.services, '{}') AS services FROM ended \
               LEFT JOIN migration_service.backup b ON b.id = ended.backup), ",
            turn!(),
            ", told AS (INSERT INTO migration_service.event (at, type, environment, service, event) \
               SELECT now(), 'restore_interrupted', environment, CASE cardinality(services) WHEN 1 THEN services[1] END, \
                 jsonb_build_object('type', 'restore_interrupted', 'backupId', backup, 'services', services, 'actor', actor, \
                   'into', database) \
               FROM subject, turn ORDER BY id RETURNING *)",
            notify!()
        );
        self.settle_left::<Uuid>(select_running!("restore"), told, Type::UUID_ARRAY).await
    }
}

/// A word that this program does not know was written by a newer one; such a restore is left out.
fn record(row: &Row) -> Option<RestoreRecord> {
    Some(RestoreRecord {
        id: row.get(0),
        backup: row.get(1),
        storage: row.get(2),
        environment: row.get(3),
        kind: RestoreKind::from_word(row.get(4))?,
        database: row.get(5),
        schemas: row.get(6),
        tables: row.get(7),
        safety_backup: row.get(8),
        state: RestoreState::from_word(row.get(9))?,
        actor: row.get(10),
        request_id: row.get(11),
        started_at: row.get(12),
        finished_at: row.get(13),
        error: row.get(14),
    })
}
