//! Why somebody is not believed.

use std::fmt;

use identity::Refused;

/// Why a request is not taken for somebody's. The caller is told no more than that; the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotBelieved {
    /// It presents nothing: nobody has signed in.
    Anonymous,
    /// What it presents is no single `Authorization: Bearer …`.
    NoBearer,
    /// The token.
    Refused(Refused),
    /// The sign-in has ended: signed out, revoked, blocked or removed.
    Ended,
    /// No keys could be fetched yet: nobody can be believed. Passes; ask again.
    KeysUnknown,
}

impl fmt::Display for NotBelieved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("there is no access token"),
            Self::NoBearer => f.write_str("the Authorization header is not one `Bearer` and a token"),
            Self::Refused(refused) => write!(f, "the access token is refused: {refused}"),
            Self::Ended => f.write_str("the session has ended"),
            Self::KeysUnknown => f.write_str("the keys of the auth service are not known yet"),
        }
    }
}

impl std::error::Error for NotBelieved {}

impl From<Refused> for NotBelieved {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Why a keyring cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The auth service's address is no URL.
    #[error("AUTH_SERVICE_URL cannot be used: {0}; write one such as http://localhost:3001")]
    Address(String),
    /// No client for HTTP could be made.
    #[error("no client for the auth service can be made: {0}")]
    Client(String),
}
