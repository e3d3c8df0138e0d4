//! What several endpoints take or answer.

use kernel::{AppRole, OrganizationId, SessionId, UserId};
use serde::{Deserialize, Serialize};
use service::Fault;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::model::{Acting, Person};
use crate::state::Auth;
use crate::tokens::RefreshToken;

/// Longer addresses are nobody's (RFC 5321), characters.
const LONGEST_EMAIL: usize = 254;

/// Somebody who is signed in, as they act now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    /// Id of the account.
    pub(crate) id: Uuid,
    /// Address they sign in with.
    pub(crate) email: String,
    /// Name.
    pub(crate) name: String,
    /// As what they act: `admin`, `teacher`, `student` or `parent`; null without an organization.
    pub(crate) role: Option<&'static str>,
    /// In which organization; null without one.
    pub(crate) organization_id: Option<Uuid>,
}

/// A role that somebody holds in an organization.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Held {
    /// Which organization.
    pub(crate) organization_id: Option<Uuid>,
    /// Its name.
    pub(crate) organization: Option<String>,
    /// Which role.
    pub(crate) role: &'static str,
}

/// Somebody has signed in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignedInAnswer {
    /// Who.
    pub(crate) user: User,
    /// The access token: `Authorization: Bearer …`.
    pub(crate) token: String,
    /// For how long it is good, seconds.
    pub(crate) expires_in: i64,
    /// Gets the next access token, once; the answer has the next one of its kind.
    pub(crate) refresh_token: String,
    /// All roles that the person holds; `organizationId` and `role` at sign-in choose among them.
    pub(crate) memberships: Vec<Held>,
}

/// It is done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Done {
    /// What was done, one word.
    pub(crate) status: &'static str,
}

/// How many sessions ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ended {
    /// So many.
    pub(crate) ended: i64,
}

/// An address.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct EmailBody {
    /// The address.
    #[schema(format = "email", max_length = 254, example = "docente1@escuela.example")]
    pub(crate) email: String,
}

impl User {
    pub(crate) fn new(id: UserId, email: &str, person: &Person, acting: Acting) -> Self {
        Self {
            id: id.uuid(),
            email: email.to_owned(),
            name: person.name.clone(),
            role: acting.role.map(AppRole::as_str),
            organization_id: acting.organization.map(OrganizationId::uuid),
        }
    }
}

impl SignedInAnswer {
    pub(crate) fn new(
        auth: &Auth,
        (user, email): (UserId, &str),
        session: SessionId,
        person: &Person,
        acting: Acting,
        refresh: &RefreshToken,
    ) -> Result<Self, Fault> {
        let held = |membership: &crate::model::Membership| Held {
            organization_id: membership.organization_id.map(OrganizationId::uuid),
            organization: membership.organization.clone(),
            role: membership.role.as_str(),
        };
        Ok(Self {
            user: User::new(user, email, person, acting),
            token: auth.token(user, session, acting)?,
            expires_in: auth.terms.lifetime.whole_seconds(),
            refresh_token: refresh.text(),
            memberships: person.memberships.iter().map(held).collect(),
        })
    }
}

/// An address that letters can be sent to.
pub(crate) fn email(text: &str) -> Result<String, Fault> {
    let text = text.trim();
    // A name in front of it, or several, are no address of an account.
    let is_plain = !text.contains(['<', '>', ',', '"', ' ']) && text.chars().count() <= LONGEST_EMAIL;
    if is_plain && text.parse::<mail::Address>().is_ok() {
        return Ok(text.to_owned());
    }
    Err(Fault::invalid("email", "is no address", "send one such as docente1@escuela.example"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_address() {
        assert_eq!(email(" Ana@escuela.example ").ok().as_deref(), Some("Ana@escuela.example"));
        for bad in [
            "",
            "ana",
            "Ana <ana@escuela.example>",
            "a@b.example,c@d.example",
            "a\n@b.example",
            &format!("{}@b.example", "a".repeat(300)),
        ] {
            assert!(email(bad).is_err(), "{bad:?}");
        }
    }
}
