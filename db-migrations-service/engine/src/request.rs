//! What a caller asks of the engine.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::event::EventSink;
use crate::migration::{MigrationId, Version};
use crate::proof::Override;

/// Which services a request is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every service of the catalogue.
    All,
    /// One service, by its catalogue name. What its migrations need of other services comes along.
    Service(String),
}

/// Bring the target forward.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// Which services.
    pub scope: Scope,
    /// Stop after this migration (and what it needs) instead of applying everything pending.
    pub to: Option<MigrationId>,
    /// Execute and roll back, leaving the target as it was.
    pub dry_run: bool,
    /// Gates that this run passes by although the environment requires them.
    pub overrides: Vec<Override>,
}

/// Which applied migrations to take back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollbackTo {
    /// The newest `n` within the scope.
    Steps(usize),
    /// All of the scope's schemas that are newer than this version (0 takes back everything).
    Version(Version),
    /// Exactly one.
    Migration(MigrationId),
    /// These rows of the history, as far as they still stand: what is left of a rollback that did not come to its end. Refused
    /// where one of the migrations was applied again since.
    Rows(Vec<AppliedRow>),
    /// The same again, by a run that may have done a part of it before: less what the history says that this run has taken back.
    Resumed(Box<RollbackTo>),
}

/// A migration as it was applied once; applied again it is another row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppliedRow {
    /// Which.
    pub migration: MigrationId,
    /// Its number in the history; `None` where its backfill was under way, so that it had none yet.
    pub row: Option<i64>,
}

/// Take the target back.
#[derive(Debug, Clone)]
pub struct RollbackRequest {
    /// Which services.
    pub scope: Scope,
    /// How far.
    pub to: RollbackTo,
    /// Only show the statements.
    pub dry_run: bool,
}

/// Who asks, under which id, and how they listen and stop.
#[derive(Clone)]
pub struct RunContext {
    /// The run's id; stands in every history row.
    pub run_id: Uuid,
    /// Who started it, as the history shall show it.
    pub actor: String,
    /// Receives every event. Must not block.
    pub events: EventSink,
    /// Cancelling it stops the run at once, with nothing half done.
    pub cancel: CancellationToken,
    /// How long to wait for another runner before giving up as busy. Zero answers at once.
    pub wait_for_lock: Duration,
}

/// Which history to read, newest first.
#[derive(Debug, Clone, Default)]
pub struct HistoryFilter {
    /// Only this service.
    pub service: Option<String>,
    /// Only this migration.
    pub migration: Option<MigrationId>,
    /// Only this run.
    pub run_id: Option<Uuid>,
    /// At most so many rows; 0 means 100.
    pub limit: usize,
    /// Rows older than this history id, for paging.
    pub before: Option<i64>,
    /// Also the SQL texts.
    pub with_sql: bool,
}
