//! Restores as they are shown.

use backup_vault::{RestoredTable, Stage};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::job::Restoring;
use super::job_view::ErrorView;
use crate::master::restores::{RestoreKind, RestoreRecord};

/// What a restore into the live database does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestoreStage {
    /// What is there is backed up.
    SafetyBackup,
    /// The backup is restored into a database beside.
    Restoring,
    /// What came of that is compared with what the backup says of itself.
    Comparing,
    /// It is copied into the live database, where nobody sees it.
    Copying,
    /// It takes its place there.
    Swapping,
}

impl RestoreStage {
    pub(super) fn of(restoring: &Restoring) -> Option<Self> {
        match restoring.stages.now() {
            Some(Stage::Restoring) => Some(Self::Restoring),
            Some(Stage::Comparing) => Some(Self::Comparing),
            Some(Stage::Copying) => Some(Self::Copying),
            Some(Stage::Swapping) => Some(Self::Swapping),
            None => (restoring.record().kind == RestoreKind::InPlace).then_some(Self::SafetyBackup),
        }
    }
}

/// A table that was restored beside the live one.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoredTableView {
    /// What it is called in the backup, `<schema>.<table>`.
    pub table: String,
    /// What it is called now, in the same schema.
    pub restored_as: String,
}

impl From<&RestoredTable> for RestoredTableView {
    fn from(table: &RestoredTable) -> Self {
        Self { table: table.table.to_string(), restored_as: table.restored_as.to_string() }
    }
}

/// A restore of a backup, as it is on record.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreView {
    /// Its number, also in the audit of the database.
    pub restore_id: Uuid,
    /// `new`, `in_place` or `tables`.
    pub kind: &'static str,
    /// On the server of which environment.
    pub environment: String,
    /// Into which database.
    pub database: String,
    /// The schemas that were made what they were.
    pub schemas: Vec<String>,
    /// What the restored tables are called.
    pub tables: Vec<String>,
    /// The backup of what was there before.
    pub safety_backup: Option<String>,
    /// `running`, `completed`, `failed`, `cancelled` or `interrupted`.
    pub status: &'static str,
    /// Who asked for it.
    pub actor: String,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub started_at: OffsetDateTime,
    /// When it was over.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<OffsetDateTime>,
    /// Why it did not happen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ErrorView>)]
    pub error: Option<Value>,
}

impl From<&RestoreRecord> for RestoreView {
    fn from(record: &RestoreRecord) -> Self {
        Self {
            restore_id: record.id,
            kind: record.kind.as_str(),
            environment: record.environment.clone(),
            database: record.database.clone(),
            schemas: record.schemas.clone(),
            tables: record.tables.clone(),
            safety_backup: record.safety_backup.clone(),
            status: record.state.as_str(),
            actor: record.actor.clone(),
            started_at: record.started_at,
            finished_at: record.finished_at,
            error: record.error.clone(),
        }
    }
}
