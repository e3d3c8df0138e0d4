//! How a session ended.

use std::fmt;

use tokio::sync::watch;

use crate::connect::full_text;
use crate::sql_error::SqlError;

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// This side said goodbye.
    ByUs,
    /// The server ended it and said why, for example 57P01 at a shutdown.
    ByServer(Box<SqlError>),
    /// The connection broke.
    Lost(String),
}

impl Closed {
    pub(super) fn because_of(error: &tokio_postgres::Error) -> Self {
        match SqlError::from_driver(error) {
            Some(error) => Self::ByServer(Box::new(error)),
            None => Self::Lost(full_text(error)),
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByUs => f.write_str("the session was closed"),
            Self::ByServer(error) => write!(f, "the server ended the session: {error}"),
            Self::Lost(reason) => write!(f, "the connection to the server was lost: {reason}"),
        }
    }
}

pub(super) async fn wait(mut closed: watch::Receiver<Option<Closed>>) -> Closed {
    match closed.wait_for(Option::is_some).await {
        Ok(reason) => reason.clone().unwrap_or(Closed::ByUs),
        // The task was dropped together with its runtime.
        Err(_) => Closed::Lost("the program stopped serving the session".to_owned()),
    }
}
