//! Who asks, as the database is told it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{OrganizationId, RequestId, SessionId, UserId};

/// What a person is in an organization; the rows of `public.roles`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AppRole {
    /// Runs the organization.
    Admin,
    /// Teaches in it.
    Teacher,
    /// Learns in it.
    Student,
    /// Follows the students who are their children.
    Parent,
}

impl AppRole {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Teacher, Self::Student, Self::Parent];

    /// The word in claims and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Teacher => "teacher",
            Self::Student => "student",
            Self::Parent => "parent",
        }
    }
}

impl fmt::Display for AppRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSuchRole(String);

impl fmt::Display for NoSuchRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no role; the roles are admin, teacher, student and parent", self.0.escape_debug())
    }
}

impl std::error::Error for NoSuchRole {}

impl FromStr for AppRole {
    type Err = NoSuchRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| NoSuchRole(text.to_owned()))
    }
}

/// A signed-in person and the request they make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caller {
    /// Who asks.
    #[serde(rename = "sub")]
    pub user: UserId,
    /// The organization they signed in to; `None` for who belongs to none yet.
    #[serde(rename = "org", skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationId>,
    /// What they are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<AppRole>,
    /// The sign-in that the token belongs to.
    #[serde(rename = "sid", skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The request.
    #[serde(rename = "rid")]
    pub request: RequestId,
}

/// A [`Caller`] together with the JSON that policies read of it (`auth.uid()`, `auth.org()`, `auth.role()`), written
/// once for all transactions of a request. A copy costs no more than a pointer's.
///
/// It says who somebody is where that was found out already; making one checks nothing.
#[derive(Debug, Clone)]
pub struct Claims(Arc<(Caller, String)>);

impl Claims {
    /// Writes the JSON.
    pub fn new(caller: Caller) -> Self {
        // Ids, words of a closed list and harmless text: nothing of it can fail to be written.
        let json = serde_json::to_string(&caller).unwrap_or_default();
        Self(Arc::new((caller, json)))
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.0.0
    }

    /// For `request.jwt.claims`.
    pub fn json(&self) -> &str {
        &self.0.1
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn claims_are_what_policies_read() {
        let id = |n: u128| Uuid::from_u128(n);
        let caller = Caller {
            user: UserId::new(id(1)),
            organization: Some(OrganizationId::new(id(2))),
            role: Some(AppRole::Teacher),
            session: Some(SessionId::new(id(3))),
            request: RequestId::parse("r-4").expect("harmless"),
        };
        let json: serde_json::Value = serde_json::from_str(Claims::new(caller.clone()).json()).expect("JSON");
        let expected = serde_json::json!({
            "sub": id(1), "org": id(2), "role": "teacher", "sid": id(3), "rid": "r-4"
        });
        assert_eq!(json, expected);

        // What is not known is absent, so that the functions answer NULL and no policy lets anything pass.
        let nobody = Caller { organization: None, role: None, session: None, ..caller };
        let json: serde_json::Value = serde_json::from_str(Claims::new(nobody).json()).expect("JSON");
        assert_eq!(json, serde_json::json!({ "sub": id(1), "rid": "r-4" }));
    }

    #[test]
    fn a_role_is_one_of_four_words() {
        for role in AppRole::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).expect("a word"), role.as_str());
        }
        let error = "Admin".parse::<AppRole>().expect_err("case counts, as in the database");
        assert!(error.to_string().contains("admin, teacher"), "{error}");
    }
}
