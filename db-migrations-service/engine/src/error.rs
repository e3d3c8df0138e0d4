//! Every way in which the engine refuses or fails, with what the operator needs next.

use postgres_link::SqlError;
use serde::{Deserialize, Serialize};

use crate::event::Blocker;
use crate::migration::MigrationId;
use crate::proof::report::Finding;

/// Stable codes: clients, scripts and the documentation switch on these, never on the sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The project folder cannot be read, or lacks a part.
    ProjectUnreadable,
    /// `services.toml` says something impossible.
    CatalogueInvalid,
    /// No service of that name in the catalogue.
    UnknownService,
    /// No environment of that name in the catalogue.
    UnknownEnvironment,
    /// No migration of that name, in the files or in the history.
    UnknownMigration,
    /// A file in `migrations/` or `seeds/` is not named as a migration or a seed is.
    FileMisnamed,
    /// Two files claim one version.
    DuplicateVersion,
    /// An up without a down, or a down without an up.
    UnpairedFile,
    /// A file is not UTF-8.
    BadEncoding,
    /// PostgreSQL's grammar does not accept a file.
    SyntaxError,
    /// A statement that no migration may contain.
    ForbiddenStatement,
    /// A header comment that the engine does not understand.
    BadDirective,
    /// Migrations wait for each other in a circle.
    DependencyCycle,
    /// A migration names something that nothing creates.
    UnresolvedReference,
    /// A migration names something that lives in another database.
    CrossesDatabases,
    /// An applied migration's file has changed.
    Edited,
    /// A rollback stopped in the middle of a migration, which is neither there nor gone.
    HalfRolledBack,
    /// Something applied depends on what should be rolled back.
    HasDependents,
    /// The migration is declared irreversible.
    Irreversible,
    /// Another runner holds the target.
    Busy,
    /// A statement of a migration was refused by PostgreSQL.
    MigrationFailed,
    /// A lock was not had within the whole ladder.
    LockTimeout,
    /// Others waited for a migration longer than the budget, in every attempt.
    BlocksOthers,
    /// Rows were not filled when a backfill was at its end, so its contract was not taken.
    RowsLeft,
    /// A backfill paused, for a standby or for the load, for longer than it may.
    BackfillStalled,
    /// A seed was refused by PostgreSQL.
    SeedFailed,
    /// A gate that the environment requires does not hold.
    GateFailed,
    /// A rehearsal took longer than it may.
    RehearsalTimeout,
    /// The rows to rehearse on cannot be brought to where the target stands.
    BackupOutdated,
    /// The run was cancelled.
    Cancelled,
    /// The database cannot be reached, or the connection broke.
    DatabaseUnavailable,
    /// The server refused the credentials.
    AuthenticationFailed,
    /// TLS could not be agreed on, or a certificate does not verify.
    TlsFailed,
    /// The server is older than PostgreSQL 14.
    ServerTooOld,
    /// A pooler before the server gives each transaction another of its sessions.
    TransactionPooler,
    /// The target takes no writes.
    ReadOnly,
    /// The database user lacks a right that preparing the target needs.
    InsufficientPrivilege,
    /// The target was written by a newer version of this program.
    TargetTooNew,
    /// The server has no room left.
    DiskFull,
    /// The environment wants a backup before this, and there is none.
    BackupRequired,
    /// A live release still needs what a contract takes away.
    ContractHeld,
    /// A folder or a history of another tool cannot be taken over as it is.
    NotAdoptable,
    /// A folder makes another schema than the live one.
    SchemaDiffers,
    /// The environment is protected from what was asked.
    Protected,
    /// PostgreSQL refused one of the engine's own statements.
    Internal,
}

/// Where in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// The file, relative to the project.
    pub file: String,
    /// 1-based.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
    /// The whole line, for the caret.
    pub line_text: String,
    /// 1-based number of the statement within the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<usize>,
    /// The statement's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement_text: Option<String>,
}

/// One failure.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub struct EngineError {
    /// What kind.
    pub code: ErrorCode,
    /// One sentence: what is wrong, with names.
    pub message: String,
    /// One sentence: what to do now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
    /// The migration concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migration: Option<MigrationId>,
    /// Where in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// What PostgreSQL said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<Box<SqlError>>,
    /// Who is in the way: the holder of the migration lock, or of a table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<Blocker>,
    /// The migrations that a refusal lists: a cycle's path, dependents, edited ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<MigrationId>,
    /// What the gates found, where one does not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// What was left behind in the target: nothing, unless it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<String>,
}

impl EngineError {
    /// An error with its one sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            cure: None,
            migration: None,
            location: None,
            sql: None,
            blockers: Vec::new(),
            related: Vec::new(),
            findings: Vec::new(),
            left_behind: None,
        }
    }

    /// Adds what to do now.
    #[must_use]
    pub fn cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }

    /// Adds the migration concerned.
    #[must_use]
    pub fn migration(mut self, id: &MigrationId) -> Self {
        self.migration = Some(id.clone());
        self
    }

    /// Adds the place in the file.
    #[must_use]
    pub fn at(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }
}
