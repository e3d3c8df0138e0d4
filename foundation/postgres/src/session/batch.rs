//! Several statements in one message, each with its own outcome.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::sql_error::SqlError;

/// What one statement of a batch did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StatementOutcome {
    /// The number in the server's command tag: rows inserted, updated, deleted or selected; 0 for anything else.
    /// The driver does not hand out the words of the tag.
    pub rows_affected: u64,
    /// Names of the result's columns; empty for a statement without a result.
    pub columns: Vec<String>,
    /// The result in PostgreSQL's text form; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
}

/// What a batch did, statement by statement. A message without any statement counts as one that did nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BatchOutcome {
    /// In the order of the message.
    pub statements: Vec<StatementOutcome>,
}

impl BatchOutcome {
    /// The cell in the first row of the given statement (both counted from 0); `None` for NULL or no such cell.
    pub fn value(&self, statement: usize, column: usize) -> Option<&str> {
        self.statements.get(statement)?.rows.first()?.get(column)?.as_deref()
    }

    /// All results' rows in one sequence.
    pub fn rows(&self) -> impl Iterator<Item = &[Option<String>]> {
        self.statements.iter().flat_map(|statement| statement.rows.iter().map(Vec::as_slice))
    }
}

/// Why a batch ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchFailure {
    /// The server refused a statement; the position in it counts from the start of the whole message.
    Sql(Box<SqlError>),
    /// The session broke; whether the last COMMIT took effect has to be looked up.
    ConnectionLost(String),
    /// The message cannot be sent this way: it holds a NUL character. Nothing was run.
    Unsendable(String),
    /// The server asked for something a batch cannot give, for example the data of COPY … FROM STDIN. The session
    /// has been broken off, which undoes what was not committed.
    Protocol(String),
}

/// A batch that did not get to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchError {
    /// Which of the messages of a flight failed, counted from 0; 0 for a batch.
    pub message: usize,
    /// The statements of that message before the one that failed. Without COMMIT between them they are undone.
    /// After a lost connection only those whose answer arrived: the server holds answers back until it has several,
    /// so more may have run.
    pub completed: Vec<StatementOutcome>,
    /// What ended it.
    pub failure: BatchFailure,
}

impl BatchError {
    /// How many statements of the message had completed; the one with this index, counted from 0, failed. A message that does not
    /// parse fails as a whole before its first statement, so the number is 0 then.
    pub fn completed(&self) -> usize {
        self.completed.len()
    }

    /// What the server said, where it did.
    pub fn sql_error(&self) -> Option<&SqlError> {
        match &self.failure {
            BatchFailure::Sql(error) => Some(error),
            _ => None,
        }
    }

    /// The server's code, where it gave one.
    pub fn sqlstate(&self) -> Option<&str> {
        self.sql_error().map(|error| error.sqlstate.as_str())
    }

    /// The session is gone, so what the last statement did is unknown.
    pub fn is_connection_loss(&self) -> bool {
        match &self.failure {
            BatchFailure::Sql(error) => error.is_connection_loss(),
            BatchFailure::ConnectionLost(_) => true,
            BatchFailure::Protocol(_) | BatchFailure::Unsendable(_) => false,
        }
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failure {
            BatchFailure::Sql(error) => write!(f, "{error}"),
            BatchFailure::ConnectionLost(reason) => write!(f, "the connection to the server was lost: {reason}"),
            BatchFailure::Protocol(reason) | BatchFailure::Unsendable(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for BatchError {}
