//! Why an operation was refused or failed, in a form that HTTP and the command line both translate.

use migration_engine::{EngineError, ErrorCode, Target};
use postgres_link::{BatchError, ConnectError, SqlError, sqlstate, tokio_postgres};
use serde::Serialize;

use crate::master::MasterError;

/// What this layer refuses by itself; the engine's own codes are [`ErrorCode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The environment stands in the catalogue, but nothing says where its database is.
    EnvironmentUnconfigured,
    /// The service lives in another database than the one named.
    ServiceElsewhere,
    /// No schema of that name, or none of the service named.
    UnknownSchema,
    /// No fleet of that name.
    UnknownFleet,
    /// The fleet has no databases.
    EmptyFleet,
    /// A run of the fleet is not over.
    FleetBusy,
    /// The environment is protected, and the request does not repeat its name.
    ConfirmationRequired,
    /// A member of the request cannot be used.
    InvalidRequest,
    /// The token is for other services.
    ServiceNotAllowed,
    /// No run of that id.
    UnknownRun,
    /// The run is over already.
    RunIsOver,
    /// No process of a service of that name is alive.
    UnknownInstance,
    /// No token of that id.
    UnknownToken,
    /// Another token has the name.
    TokenNameTaken,
    /// The environment's database is created by its first run, which has not been yet.
    DatabaseNotCreated,
    /// More steps back than migrations are applied.
    TooFewApplied,
    /// No backup of that id.
    UnknownBackup,
    /// None of the backups has the rows that are needed.
    NoBackup,
    /// Somebody works on the backup.
    BackupBusy,
    /// Nothing is being done with the backup.
    BackupIsIdle,
    /// Another process works on the backup.
    BackupIsElsewhere,
    /// Nothing says where backups are kept.
    BackupStorageUnconfigured,
    /// Where backups are kept cannot be used now.
    BackupStorageUnavailable,
    /// There is no room for the backup.
    BackupStorageFull,
    /// The backup is not what was stored.
    BackupDamaged,
    /// The backup is encrypted, and its key is not here.
    BackupKeyMissing,
    /// PostgreSQL's programs are missing, or do not fit.
    BackupToolsMissing,
    /// The server is older than the backup's.
    BackupTooNew,
    /// There is a database of the name to restore into.
    DatabaseExists,
    /// Sessions use what a restore would replace.
    SchemasInUse,
    /// A restore would break foreign keys.
    RestoreWouldBreak,
    /// Objects elsewhere are bound to what a restore would replace.
    RestoreBound,
    /// What is in the backup cannot be restored into the live database.
    RestoreNotInPlace,
    /// No table of that name in the backup.
    UnknownTable,
    /// PostgreSQL's programs or the server refused.
    BackupFailed,
}

/// Why an operation did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OperationError {
    /// The engine refused or failed.
    #[error(transparent)]
    Engine(Box<EngineError>),
    /// The service's own database is away or refused.
    #[error(transparent)]
    Master(#[from] MasterError),
    /// This layer refused.
    #[error("{message}")]
    Refused {
        /// Which refusal.
        code: RefusalCode,
        /// One sentence.
        message: String,
        /// What to do now.
        cure: Option<String>,
    },
}

impl OperationError {
    pub(super) fn refuse(code: RefusalCode, message: impl Into<String>) -> Self {
        Self::Refused { code, message: message.into(), cure: None }
    }

    /// Adds what to do now, where this layer refused.
    #[must_use]
    pub(super) fn with_cure(mut self, text: impl Into<String>) -> Self {
        if let Self::Refused { cure, .. } = &mut self {
            *cure = Some(text.into());
        }
        self
    }

    /// The same error, of something that was done on the way.
    #[must_use]
    pub(super) fn while_doing(mut self, what: &str) -> Self {
        match &mut self {
            Self::Refused { message, .. } => *message = format!("{what}: {message}"),
            Self::Engine(error) => error.message = format!("{what}: {}", error.message),
            Self::Master(error) => error.message = format!("{what}: {}", error.message),
        }
        self
    }

    /// The same on this target: a database that the first run creates is not missing before that.
    pub(super) fn on(self, target: &Target) -> Self {
        let said = self.engine().and_then(|error| error.sql.as_ref()).map(|sql| sql.sqlstate.as_str());
        if said != Some(sqlstate::INVALID_CATALOG_NAME) || !target.create_database {
            return self;
        }
        let (environment, database) = (&target.environment, target.connect.database());
        let message =
            format!("the environment {environment:?} has no database yet: {database:?} is created by its first run");
        Self::refuse(RefusalCode::DatabaseNotCreated, message)
            .with_cure(format!("run the migrations of the environment {environment:?} first"))
    }

    /// The engine's error, where it is one.
    pub fn engine(&self) -> Option<&EngineError> {
        match self {
            Self::Engine(error) => Some(error),
            Self::Master(_) | Self::Refused { .. } => None,
        }
    }

    /// Its stable code.
    pub fn code(&self) -> String {
        let word = match self {
            Self::Engine(error) => serde_json::to_value(error.code),
            Self::Master(error) if error.unavailable => Ok("master_unavailable".into()),
            Self::Master(_) => Ok("master_failed".into()),
            Self::Refused { code, .. } => serde_json::to_value(code),
        };
        word.ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// What to do now, one sentence.
    pub fn cure(&self) -> Option<&str> {
        match self {
            Self::Engine(error) => error.cure.as_deref(),
            Self::Master(error) => error.cure.as_deref(),
            Self::Refused { cure, .. } => cure.as_deref(),
        }
    }
}

impl From<EngineError> for OperationError {
    fn from(error: EngineError) -> Self {
        Self::Engine(Box::new(error))
    }
}

/// A session for looking at a target did not come about.
impl From<ConnectError> for OperationError {
    fn from(error: ConnectError) -> Self {
        EngineError::from(&error).into()
    }
}

/// A question to a target's catalog failed.
impl From<tokio_postgres::Error> for OperationError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(sql) => from_sql(SqlError::from(sql)),
            None => EngineError::new(
                ErrorCode::DatabaseUnavailable,
                format!("the session with the database broke: {error}"),
            )
            .cure("check that the server runs, and try again")
            .into(),
        }
    }
}

impl From<BatchError> for OperationError {
    fn from(error: BatchError) -> Self {
        match error.sql_error() {
            Some(sql) => from_sql(sql.clone()),
            None => EngineError::new(ErrorCode::DatabaseUnavailable, error.to_string()).into(),
        }
    }
}

fn from_sql(sql: SqlError) -> OperationError {
    let code = match sql.sqlstate.as_str() {
        sqlstate::INSUFFICIENT_PRIVILEGE => ErrorCode::InsufficientPrivilege,
        _ if sql.is_connection_loss() => ErrorCode::DatabaseUnavailable,
        _ => ErrorCode::Internal,
    };
    let mut engine = EngineError::new(code, sql.message.clone());
    engine.sql = Some(Box::new(sql));
    engine.into()
}
