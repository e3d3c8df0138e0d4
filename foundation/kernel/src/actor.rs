//! On whose behalf something is done.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::UserId;

/// Who acts, as histories and logs show it: `cli:ana`, `local`, `token:deploy`, `user:<id>`,
/// `system:scheduler`.
///
/// It names, it does not authorise: what somebody may do is decided where the credentials are read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(String);

impl Actor {
    /// Somebody at this machine's terminal, by the name of their account.
    pub fn cli(account: &str) -> Self {
        Self(format!("cli:{}", printable(account)))
    }

    /// Somebody on this machine who calls over the loopback interface without credentials.
    pub fn local() -> Self {
        Self("local".to_owned())
    }

    /// The holder of a named API token.
    pub fn token(name: &str) -> Self {
        Self(format!("token:{}", printable(name)))
    }

    /// A signed-in person, by the id of their account.
    pub fn user(id: UserId) -> Self {
        Self(format!("user:{id}"))
    }

    /// The platform itself, for what nobody asked for just now.
    pub fn system(part: &str) -> Self {
        Self(format!("system:{}", printable(part)))
    }

    /// The text that goes into histories.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Control characters could forge lines in a log or a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(128).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_forge_a_line() {
        assert_eq!(Actor::cli("ana\n2026 root").as_str(), "cli:ana2026 root");
        assert_eq!(Actor::token(&"x".repeat(500)).as_str().len(), "token:".len() + 128);
    }
}
