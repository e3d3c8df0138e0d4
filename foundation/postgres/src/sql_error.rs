//! What PostgreSQL said, as a plain value.
//!
//! The driver's `DbError` can be neither stored nor sent; a migration run has to do both (journal, HTTP, terminal).
//! It does not translate: the server's words stay as they are.

use std::fmt;

use serde::{Deserialize, Serialize};
use tokio_postgres::error::{DbError, ErrorPosition};

use crate::sqlstate;

/// An error or notice of the server with all fields a person or a rule may need.
///
/// Field meanings: <https://www.postgresql.org/docs/current/protocol-error-fields.html>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlError {
    /// ERROR, FATAL, PANIC; for notices WARNING, NOTICE, DEBUG, INFO, LOG. In the server's language.
    pub severity: String,
    /// Five characters, see [`sqlstate`].
    pub sqlstate: String,
    /// The primary message, one line.
    pub message: String,
    /// More about the problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What the server suggests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where in the message that was sent, in characters (not bytes), the first being 1. Absent for errors at run
    /// time such as a violated constraint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// The text the server itself was running (the body of a function, for example).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_query: Option<String>,
    /// Where in `internal_query`, in characters, the first being 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_position: Option<u32>,
    /// The call stack inside the server, innermost first.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub where_: Option<String>,
    /// The schema of the object the error is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The table the error is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The column the error is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The data type the error is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datatype: Option<String>,
    /// The constraint that was violated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint: Option<String>,
    /// The function in the server's source that reported it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routine: Option<String>,
}

impl SqlError {
    /// The first two characters of the code, which name its class.
    pub fn sqlstate_class(&self) -> &str {
        self.sqlstate.get(..2).unwrap_or(&self.sqlstate)
    }

    /// A lock was not to be had in time (55P03): nothing was changed, trying again later is right.
    pub fn is_lock_not_available(&self) -> bool {
        self.sqlstate == sqlstate::LOCK_NOT_AVAILABLE
    }

    /// The statement was cancelled or ran into `statement_timeout` (57014).
    pub fn is_query_canceled(&self) -> bool {
        self.sqlstate == sqlstate::QUERY_CANCELED
    }

    /// The session is gone with this error, so whether the last COMMIT took effect has to be looked up.
    pub fn is_connection_loss(&self) -> bool {
        const ENDS_THE_SESSION: [&str; 5] = [
            sqlstate::ADMIN_SHUTDOWN,
            sqlstate::CRASH_SHUTDOWN,
            sqlstate::CANNOT_CONNECT_NOW,
            sqlstate::DATABASE_DROPPED,
            sqlstate::IDLE_SESSION_TIMEOUT,
        ];
        self.sqlstate_class() == sqlstate::CLASS_CONNECTION || ENDS_THE_SESSION.contains(&self.sqlstate.as_str())
    }

    /// What the server said inside a driver error; `None` when the error did not come from the server.
    pub fn from_driver(error: &tokio_postgres::Error) -> Option<Self> {
        error.as_db_error().map(Self::from)
    }
}

impl From<&DbError> for SqlError {
    fn from(error: &DbError) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let (position, internal_query, internal_position) = match error.position() {
            Some(ErrorPosition::Original(position)) => (Some(*position), None, None),
            Some(ErrorPosition::Internal { position, query }) => (None, Some(query.clone()), Some(*position)),
            None => (None, None, None),
        };
        Self {
            severity: error.severity().to_owned(),
            sqlstate: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: owned(error.detail()),
            hint: owned(error.hint()),
            position,
            internal_query,
            internal_position,
            where_: owned(error.where_()),
            schema: owned(error.schema()),
            table: owned(error.table()),
            column: owned(error.column()),
            datatype: owned(error.datatype()),
            constraint: owned(error.constraint()),
            routine: owned(error.routine()),
        }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.severity, self.sqlstate, self.message)?;
        for (label, text) in [("detail", &self.detail), ("hint", &self.hint)] {
            if let Some(text) = text {
                write!(f, "; {label}: {text}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for SqlError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(sqlstate: &str) -> SqlError {
        let text = format!(r#"{{"severity":"ERROR","sqlstate":"{sqlstate}","message":"m"}}"#);
        serde_json::from_str(&text).expect("all other fields are optional")
    }

    #[test]
    fn codes_are_told_apart() {
        assert!(error("55P03").is_lock_not_available());
        assert!(error("57014").is_query_canceled());
        assert!(!error("57014").is_connection_loss(), "a cancelled statement leaves the session alive");
        for code in ["08006", "08P01", "57P01", "57P02", "57P03", "57P04", "57P05"] {
            assert!(error(code).is_connection_loss(), "{code}");
        }
        assert_eq!(error("23505").sqlstate_class(), "23");
        assert_eq!(error("").sqlstate_class(), "");
    }

    #[test]
    fn what_is_absent_is_not_written() {
        assert_eq!(
            serde_json::to_string(&error("42601")).expect("plain fields"),
            r#"{"severity":"ERROR","sqlstate":"42601","message":"m"}"#
        );
    }

    #[test]
    fn display_has_code_detail_and_hint() {
        let mut e = error("23505");
        e.detail = Some("Key (id)=(1) already exists.".into());
        assert_eq!(e.to_string(), "ERROR (23505): m; detail: Key (id)=(1) already exists.");
    }
}
