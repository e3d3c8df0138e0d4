//! What there is.

use std::net::IpAddr;

use kernel::{AppRole, OrganizationId, SessionId, UserId};
use serde::Deserialize;
use time::OffsetDateTime;

/// What is known of who wants to sign in.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) user: UserId,
    pub(crate) password_hash: String,
    pub(crate) is_active: bool,
    pub(crate) is_verified: bool,
    /// They have signed in from this address before.
    pub(crate) is_known_here: bool,
}

/// A role that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Membership {
    pub(crate) organization_id: Option<OrganizationId>,
    pub(crate) role: AppRole,
    pub(crate) organization: Option<String>,
}

/// Who somebody is, as schema users says it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) language: String,
    /// Active ones, eldest first.
    pub(crate) memberships: Vec<Membership>,
}

/// In which organization and as what a session acts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Acting {
    pub(crate) organization: Option<OrganizationId>,
    pub(crate) role: Option<AppRole>,
}

/// A session as a refresh finds it.
#[derive(Debug, Clone)]
pub(crate) struct Refreshable {
    pub(crate) session: SessionId,
    pub(crate) user: UserId,
    pub(crate) email: String,
    /// Neither ended nor over, and its account is not blocked.
    pub(crate) is_live: bool,
    pub(crate) current: String,
    pub(crate) previous: Option<String>,
    pub(crate) salt: Option<Vec<u8>>,
    /// How long ago the current token was issued, seconds.
    pub(crate) age_s: f64,
    pub(crate) acting: Acting,
}

/// Where a request comes from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) address: IpAddr,
    pub(crate) user_agent: Option<String>,
}

/// What happened, for the audit of sign-ins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    SignedIn,
    WrongPassword,
    UnknownAccount,
    NotVerified,
    Blocked,
    SignedOut,
    SessionEnded,
    RefreshReused,
    PasswordChanged,
    PasswordReset,
    EmailVerified,
    Registered,
}

impl Outcome {
    /// The word in the table.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::WrongPassword => "wrong_password",
            Self::UnknownAccount => "unknown_account",
            Self::NotVerified => "not_verified",
            Self::Blocked => "blocked",
            Self::SignedOut => "signed_out",
            Self::SessionEnded => "session_ended",
            Self::RefreshReused => "refresh_reused",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::EmailVerified => "email_verified",
            Self::Registered => "registered",
        }
    }
}

/// A signing key as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct KeptKey {
    pub(crate) id: String,
    pub(crate) sealed: Vec<u8>,
    pub(crate) signs_from: OffsetDateTime,
}
