//! Access tokens: what they say, how they are issued and believed.

use std::fmt;

use jsonwebtoken::{Algorithm, Header, Validation};
use kernel::{AppRole, OrganizationId, SessionId, UserId};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::keys::{KeySet, SigningKey};

/// RFC 9068: an access token, and nothing else that anybody signs with the same key.
const TYPE: &str = "at+jwt";
/// Clocks of two machines may differ by so much.
const LEEWAY: Duration = Duration::seconds(30);
/// No token of ours is near it; what is longer is not read at all.
const LONGEST: usize = 4_096;

/// Between whom tokens are good, and for how long.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Who issues them (`iss`): the auth service's public address.
    pub issuer: String,
    /// For whom they are (`aud`): the platform.
    pub audience: String,
    /// How long one lives. Roles and blocked accounts are believed for so long after they have changed.
    pub lifetime: Duration,
}

/// What a token says of somebody who has signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Who.
    pub user: UserId,
    /// Which sign-in: what is revoked when somebody signs out.
    pub session: SessionId,
    /// In which organization, for who belongs to one.
    pub organization: Option<OrganizationId>,
    /// As what.
    pub role: Option<AppRole>,
}

/// The token's members (RFC 7519, RFC 9068). Times are whole seconds; a time that is no number does not parse.
#[derive(Serialize, Deserialize)]
struct Members {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<OrganizationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<AppRole>,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
}

/// Why a token is not believed. The caller is told no more than that; the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is no JWT of ours: not three parts, not of the type, with members of the header that name keys.
    NotAToken,
    /// It is signed in another way than ours.
    Algorithm,
    /// Nobody that is believed has this key. The published keys may be newer than those at hand.
    UnknownKey,
    /// The signature is not of what it says.
    Signature,
    /// A member is missing, or is not what it must be.
    Members,
    /// It is somebody else's, or for somebody else.
    NotForUs,
    /// It is over.
    Expired,
    /// It has not begun.
    NotYet,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAToken => "it is no access token",
            Self::Algorithm => "it is not signed with EdDSA",
            Self::UnknownKey => "its key is not among the published ones",
            Self::Signature => "its signature is wrong",
            Self::Members => "a member is missing or is not what it must be",
            Self::NotForUs => "it is of another issuer or for another audience",
            Self::Expired => "it has expired",
            Self::NotYet => "it is not valid yet",
        })
    }
}

impl std::error::Error for Refused {}

impl Terms {
    /// Who issues the platform's tokens where nothing else is said: the auth service by its address on one machine, below which
    /// its keys are published. It is a name that is compared and not called, so a service on another port keeps it.
    pub const ISSUER: &str = "http://localhost:3001";
    /// For whom they are where nothing else is said.
    pub const AUDIENCE: &str = "profe";
    /// The bound of ADR 23 for what a token cannot know.
    pub const LIFETIME: Duration = Duration::minutes(10);

    /// The terms of the platform where nothing else is said: the same for who issues and for who believes.
    pub fn platform() -> Self {
        Self { issuer: Self::ISSUER.to_owned(), audience: Self::AUDIENCE.to_owned(), lifetime: Self::LIFETIME }
    }

    /// A token for `access`, from `now` on. `None` where it cannot be signed, which a key that was read cannot do.
    pub fn issue(&self, access: &Access, key: &SigningKey, now: OffsetDateTime) -> Option<String> {
        let now = now.unix_timestamp();
        let members = Members {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: access.user,
            sid: access.session,
            org: access.organization,
            role: access.role,
            iat: now,
            nbf: now,
            exp: now + self.lifetime.whole_seconds(),
            jti: Uuid::new_v4(),
        };
        let header =
            Header { typ: Some(TYPE.to_owned()), kid: Some(key.id().to_owned()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &members, key.encoding()).ok()
    }

    /// Who presents `token` at `now`.
    pub fn believe(&self, token: &str, keys: &KeySet, now: OffsetDateTime) -> Result<Access, Refused> {
        self.believe_until(token, keys, now).map(|(access, _)| access)
    }

    /// As [`believe`](Self::believe), and from when on it is not believed any more, Unix seconds: for who remembers.
    pub fn believe_until(&self, token: &str, keys: &KeySet, now: OffsetDateTime) -> Result<(Access, i64), Refused> {
        let members = read(token, keys)?;
        let now = now.unix_timestamp();
        if members.iss != self.issuer || members.aud != self.audience {
            return Err(Refused::NotForUs);
        }
        let over = members.exp.saturating_add(LEEWAY.whole_seconds());
        if now >= over {
            return Err(Refused::Expired);
        }
        if now < members.nbf.saturating_sub(LEEWAY.whole_seconds()) {
            return Err(Refused::NotYet);
        }
        let access = Access { user: members.sub, session: members.sid, organization: members.org, role: members.role };
        Ok((access, over))
    }
}

/// What a token says whose signature holds.
fn read(token: &str, keys: &KeySet) -> Result<Members, Refused> {
    if token.len() > LONGEST {
        return Err(Refused::NotAToken);
    }
    let header = header_of(token)?;
    if header.typ.as_deref() != Some(TYPE) {
        return Err(Refused::NotAToken);
    }
    if header.alg != Algorithm::EdDSA {
        return Err(Refused::Algorithm);
    }
    let key = header.kid.as_deref().and_then(|id| keys.get(id)).ok_or(Refused::UnknownKey)?;
    // What the library would compare with the machine's own clock is compared here.
    let mut signature_alone = Validation::new(Algorithm::EdDSA);
    signature_alone.required_spec_claims.clear();
    signature_alone.validate_exp = false;
    signature_alone.validate_aud = false;
    jsonwebtoken::decode(token, key, &signature_alone).map(|read| read.claims).map_err(|error| match error.kind() {
        jsonwebtoken::errors::ErrorKind::InvalidSignature => Refused::Signature,
        _ => Refused::Members,
    })
}

/// The header, which nothing vouches for yet: it chooses a key among those that are believed already, and may not bring one.
fn header_of(token: &str) -> Result<Header, Refused> {
    let header = jsonwebtoken::decode_header(token).map_err(|error| match error.kind() {
        // `none`, and whatever the library has no name for.
        jsonwebtoken::errors::ErrorKind::Json(_) => Refused::Algorithm,
        _ => Refused::NotAToken,
    })?;
    let brings_a_key = header.jku.is_some()
        || header.jwk.is_some()
        || header.x5u.is_some()
        || header.x5c.is_some()
        || header.x5t.is_some();
    if brings_a_key { Err(Refused::NotAToken) } else { Ok(header) }
}
