//! Why a transaction did not do what it was asked.

use std::time::Duration;

use super::login::UnfitLogin;
use crate::connect::full_text;
use crate::{ConnectError, SqlError, sqlstate};

/// A constraint that refused a row. Stores translate its name where they know what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its name; empty where the server gave none (a NOT NULL column before PostgreSQL 18).
    pub constraint: String,
    /// What the server said in full. It may show values of the row, so it is for logs and not for callers.
    pub error: Box<SqlError>,
}

/// Why a transaction did not do what it was asked. Nothing of it was kept, except where [`Unknown`](Self::Unknown) says
/// that this is not certain.
#[derive(Debug, thiserror::Error)]
pub enum TxError {
    /// A statement that had to meet a row met none: it does not exist, or the caller may not see it (which of both, the
    /// policies do not tell).
    #[error("no row was found that the caller may see")]
    NotFound,
    /// No grant or no policy allows it (42501).
    #[error("the caller may not do this: {0}")]
    Forbidden(Box<SqlError>),
    /// A unique constraint or index refused a duplicate (23505).
    #[error("{} is taken: {}", .0.constraint, .0.error)]
    Taken(Refusal),
    /// A foreign key has no row to point at, or a row that is pointed at was to go (23503).
    #[error("{} has nothing to point at, or is pointed at: {}", .0.constraint, .0.error)]
    Dangling(Refusal),
    /// A CHECK, NOT NULL or exclusion constraint refused the row (23514, 23502, 23P01).
    #[error("{} refused the row: {}", .0.constraint, .0.error)]
    Invalid(Refusal),
    /// A write in a transaction that only reads (25006): a handler of a safe method that writes.
    #[error("the transaction only reads: {0}; begin it with Access::Write")]
    ReadOnly(Box<SqlError>),
    /// The statement took longer than its limit, or was cancelled (57014).
    #[error("the statement was stopped: {0}")]
    TimedOut(Box<SqlError>),
    /// It met others at work (40001, 40P01, 55P03), or the schema changed under it; the same again may succeed.
    #[error("the transaction met another one, or the schema changed; try it again")]
    Again,
    /// All sessions of the pool were in use for as long as a request waits.
    #[error("no database session was free within {} ms; make the pool larger, or find out what holds its sessions", .0.as_millis())]
    PoolFull(Duration),
    /// The pool was closed: the service stops.
    #[error("the service stops, and begins no transaction any more")]
    Closing,
    /// No session could be opened.
    #[error("{0}")]
    Unreachable(Box<ConnectError>),
    /// The role that signs in may do more than serve requests.
    #[error(transparent)]
    Unfit(#[from] UnfitLogin),
    /// The session was lost before anything was committed.
    #[error("the connection to the database was lost: {0}")]
    Lost(String),
    /// The session was lost while COMMIT was on its way: whether it took effect has to be looked up.
    #[error("the connection to the database was lost during COMMIT, so whether it took effect is not known: {0}")]
    Unknown(String),
    /// An earlier statement of this transaction failed or was given up, which undoes the whole.
    #[error("an earlier statement of this transaction failed or was given up; nothing of it is kept")]
    Ended,
    /// Whatever else the server said: a defect of the service.
    #[error("{0}")]
    Sql(Box<SqlError>),
    /// A parameter or a row does not fit its type: a defect of the service.
    #[error("{0}")]
    Driver(String),
}

impl TxError {
    /// The constraint that refused a row, by name.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Taken(refusal) | Self::Dangling(refusal) | Self::Invalid(refusal) => Some(&refusal.constraint),
            _ => None,
        }
    }

    /// The session broke during COMMIT: what was a loss before it is none any more.
    pub(super) fn during_commit(self) -> Self {
        match self {
            Self::Lost(reason) => Self::Unknown(reason),
            other => other,
        }
    }
}

impl From<SqlError> for TxError {
    fn from(error: SqlError) -> Self {
        if error.is_connection_loss() || error.sqlstate == sqlstate::IDLE_IN_TRANSACTION_TIMEOUT {
            return Self::Lost(error.to_string());
        }
        let refusal = |error: SqlError| Refusal {
            constraint: error.constraint.clone().unwrap_or_default(),
            error: Box::new(error),
        };
        match error.sqlstate.as_str() {
            sqlstate::INSUFFICIENT_PRIVILEGE => Self::Forbidden(Box::new(error)),
            sqlstate::UNIQUE_VIOLATION => Self::Taken(refusal(error)),
            sqlstate::FOREIGN_KEY_VIOLATION => Self::Dangling(refusal(error)),
            sqlstate::CHECK_VIOLATION | sqlstate::NOT_NULL_VIOLATION | sqlstate::EXCLUSION_VIOLATION => {
                Self::Invalid(refusal(error))
            }
            sqlstate::READ_ONLY_SQL_TRANSACTION => Self::ReadOnly(Box::new(error)),
            sqlstate::QUERY_CANCELED => Self::TimedOut(Box::new(error)),
            sqlstate::SERIALIZATION_FAILURE | sqlstate::DEADLOCK_DETECTED | sqlstate::LOCK_NOT_AVAILABLE => Self::Again,
            _ => Self::Sql(Box::new(error)),
        }
    }
}

impl From<tokio_postgres::Error> for TxError {
    fn from(error: tokio_postgres::Error) -> Self {
        match SqlError::from_driver(&error) {
            Some(error) => error.into(),
            None if error.is_closed() => Self::Lost(full_text(&error)),
            None => Self::Driver(full_text(&error)),
        }
    }
}
