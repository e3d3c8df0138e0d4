//! Why the master database did not do what was asked.

use postgres_link::tokio_postgres;
use postgres_link::{BatchError, ConnectError, SqlError};

/// The master database is away, or refused something.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct MasterError {
    /// One sentence.
    pub message: String,
    /// What to do now.
    pub cure: Option<String>,
    /// What the server said, where it did.
    pub sql: Option<Box<SqlError>>,
    /// It cannot be reached now; another time the same may work.
    pub unavailable: bool,
}

impl MasterError {
    pub(super) fn unavailable(message: String) -> Self {
        let cure = "check MIGRATION_SERVICE_MASTER_DB_URL, and whether that server runs".to_owned();
        Self { message, cure: Some(cure), sql: None, unavailable: true }
    }

    pub(super) fn newer(found: i32, known: i32) -> Self {
        Self {
            message: format!("the master database has tables of version {found}, this program knows up to {known}"),
            cure: Some("run the program version that wrote them, or a newer one".to_owned()),
            sql: None,
            unavailable: false,
        }
    }

    fn refused(sql: SqlError) -> Self {
        let unavailable = sql.is_connection_loss();
        let cure = (sql.sqlstate == postgres_link::sqlstate::INSUFFICIENT_PRIVILEGE).then(|| {
            "let the user of the master database create a schema there: GRANT CREATE ON DATABASE … TO …".to_owned()
        });
        Self {
            message: format!("the master database refused: {}", sql.message),
            cure,
            sql: Some(Box::new(sql)),
            unavailable,
        }
    }
}

impl From<ConnectError> for MasterError {
    fn from(error: ConnectError) -> Self {
        Self {
            message: error.to_string(),
            cure: Some(error.cure().to_owned()),
            sql: error.sql_error().cloned().map(Box::new),
            unavailable: true,
        }
    }
}

impl From<BatchError> for MasterError {
    fn from(error: BatchError) -> Self {
        match error.sql_error() {
            Some(sql) => Self::refused(sql.clone()),
            None => Self::unavailable(error.to_string()),
        }
    }
}

impl From<tokio_postgres::Error> for MasterError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(sql) => Self::refused(SqlError::from(sql)),
            None => Self::unavailable(format!("the session with the master database broke: {error}")),
        }
    }
}
