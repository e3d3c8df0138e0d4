//! As whom a transaction runs.

use kernel::{Claims, RequestId};

/// As whom a transaction runs.
pub(super) enum Identity {
    /// A signed-in person.
    Caller(Claims),
    /// The service itself; the JSON holds the request and nobody's name.
    Service(String),
}

impl Identity {
    pub(super) fn service(request: &RequestId) -> Self {
        // A request's id holds no character that JSON would want escaped.
        Self::Service(format!("{{\"rid\":\"{request}\"}}"))
    }

    /// The role for `SET LOCAL ROLE`; `none` is whoever signed in.
    pub(super) fn role<'a>(&self, of_users: &'a str) -> &'a str {
        match self {
            Self::Caller(_) => of_users,
            Self::Service(_) => "none",
        }
    }

    pub(super) fn claims(&self) -> &str {
        match self {
            Self::Caller(claims) => claims.json(),
            Self::Service(json) => json,
        }
    }
}
