//! Ids that cannot be taken for one another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes it from where nothing tells ids apart: a row, a token.
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// For where nothing tells ids apart: a parameter of a query.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id! {
    /// A person with an account.
    UserId
}
id! {
    /// A school or another institution: a tenant of the platform.
    OrganizationId
}
id! {
    /// One sign-in of a person.
    SessionId
}

/// One request, through logs, answers, claims and audits.
///
/// It may come from outside, so it is no more than 128 letters, digits and `-_.:`, which can forge neither a line of a log
/// nor a header.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct RequestId(String);

impl RequestId {
    const LONGEST: usize = 128;

    /// Takes an id from outside; `None` where it is empty, too long or holds other characters.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
        let harmless = !text.is_empty() && text.len() <= Self::LONGEST && text.bytes().all(plain);
        harmless.then(|| Self(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Uuid> for RequestId {
    fn from(id: Uuid) -> Self {
        Self(id.to_string())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let text = "00000007-0001-4000-8000-000000000001";
        let id: OrganizationId = text.parse().expect("a UUID");
        assert_eq!((id.to_string().as_str(), id.uuid().to_string().as_str()), (text, text));
        assert!("7".parse::<UserId>().is_err());
    }

    #[test]
    fn a_request_id_from_outside_is_harmless_or_refused() {
        assert_eq!(RequestId::parse("a-1_b.c:9").map(|id| id.to_string()).as_deref(), Some("a-1_b.c:9"));
        for bad in ["", "a b", "a\nb", "á", "\"", "\0"] {
            assert_eq!(RequestId::parse(bad), None, "{bad:?}");
        }
        assert!(RequestId::parse(&"x".repeat(128)).is_some());
        assert!(RequestId::parse(&"x".repeat(129)).is_none());
    }
}
