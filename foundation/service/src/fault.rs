//! What went wrong, as the caller is told.

use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use keyring::NotBelieved;
use postgres_link::tenant::{Refusal, TxError};
use web::{Problem, kinds as shared};

use crate::kinds;

/// SQLSTATEs of texts that PostgreSQL keeps nowhere: `character_not_in_repertoire`, and `untranslatable_character` in a jsonb.
const UNKEPT: [&str; 2] = ["22021", "22P05"];

/// A handler's failure: a problem document. Made by `?` of a [`Problem`] and of a [`TxError`], which becomes what it means to a
/// caller; what only an operator may know goes to the log.
#[derive(Debug, Clone)]
pub struct Fault(Problem);

impl Fault {
    /// The problem of this kind, without particulars.
    pub fn new(kind: web::Kind) -> Self {
        Self(Problem::new(kind))
    }

    /// Nobody is signed in, or their token is not believed for this reason (RFC 6750, 3).
    pub fn unauthenticated(why: &str) -> Self {
        let problem = Problem::new(kinds::UNAUTHENTICATED)
            .detail(why)
            .cure("sign in at /api/auth/login and send the token as Authorization: Bearer …");
        Self(problem.header(WWW_AUTHENTICATE, "Bearer"))
    }

    /// The caller may not do this, for this reason.
    pub fn forbidden(why: &str) -> Self {
        Self(Problem::new(kinds::FORBIDDEN).detail(why).cure("ask an administrator of the organization"))
    }

    /// There is no such record, or none that the caller may see; which of both is not told.
    pub fn no_such(what: &str) -> Self {
        Self(Problem::new(kinds::NO_SUCH_RECORD).detail(format!("no {what} was found that the caller may see")))
    }

    /// A member of the body that is no value of its kind: where, what is wrong, what to send.
    pub fn invalid(member: &str, why: &str, cure: &str) -> Self {
        let problem = Problem::new(kinds::INVALID_VALUE).detail(format!("the member {member:?} {why}"));
        Self(problem.cure(cure).with("member", member))
    }

    /// A defect of the service or of the machine, which only the log is told.
    pub fn broken(what: &str) -> Self {
        tracing::error!(what, "a defect");
        Self(Problem::new(shared::INTERNAL).cure("look for the requestId in the service's log"))
    }

    /// Its code, for tests of rules.
    pub fn code(&self) -> &'static str {
        self.0.code()
    }

    /// The problem itself.
    pub fn into_problem(self) -> Problem {
        self.0
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl From<NotBelieved> for Fault {
    fn from(why: NotBelieved) -> Self {
        match why {
            NotBelieved::KeysUnknown => {
                let problem = Problem::new(kinds::TRY_AGAIN).detail(why.to_string()).header(RETRY_AFTER, "1");
                Self(problem.cure("send it again in a moment"))
            }
            NotBelieved::Anonymous | NotBelieved::NoBearer | NotBelieved::Refused(_) | NotBelieved::Ended => {
                Self::unauthenticated(&why.to_string())
            }
        }
    }
}

impl From<TxError> for Fault {
    fn from(error: TxError) -> Self {
        // Constraints that a store knows it has translated by now; of the others the caller learns the name, for values of the
        // row, which PostgreSQL prints, may be another's.
        let refused = |kind, refusal: &Refusal| {
            tracing::info!(error = %refusal.error, "a constraint refused a row");
            Problem::new(kind).detail(format!("refused by {}", named(refusal))).with("constraint", named(refusal))
        };
        let soon = |kind| Problem::new(kind).header(RETRY_AFTER, "1").cure("send it again in a moment");
        Self(match &error {
            TxError::NotFound => {
                Problem::new(kinds::NO_SUCH_RECORD).detail("no record was found that the caller may see")
            }
            TxError::Forbidden(why) => {
                tracing::info!(error = %why, "the database allowed it to nobody of this role");
                Problem::new(kinds::FORBIDDEN).detail("the caller's role may not do this")
            }
            TxError::Taken(refusal) => refused(kinds::ALREADY_EXISTS, refusal),
            TxError::Dangling(refusal) => refused(kinds::REFERENCE, refusal),
            TxError::Invalid(refusal) => refused(kinds::INVALID_VALUE, refusal),
            TxError::TimedOut(_) => {
                tracing::warn!(%error, "a statement took too long");
                soon(kinds::TOOK_TOO_LONG)
            }
            TxError::Again => soon(kinds::TRY_AGAIN),
            TxError::PoolFull(_) => {
                tracing::warn!(%error, "no session was free");
                soon(kinds::BUSY)
            }
            TxError::Closing => soon(kinds::DATABASE_AWAY),
            TxError::Unreachable(_) | TxError::Unfit(_) | TxError::Lost(_) => {
                tracing::error!(%error, "the database cannot be used");
                soon(kinds::DATABASE_AWAY)
            }
            TxError::Unknown(_) => {
                tracing::error!(%error, "a commit in doubt");
                let cure = "look whether it was done; with an Idempotency-Key, send it again";
                Problem::new(kinds::OUTCOME_UNKNOWN).cure(cure)
            }
            TxError::Sql(why) if UNKEPT.contains(&why.sqlstate.as_str()) => {
                let problem = Problem::new(kinds::INVALID_VALUE).detail("a text holds a NUL, which is not kept");
                problem.cure("leave characters with the code 0 out")
            }
            TxError::ReadOnly(_) | TxError::Ended | TxError::Sql(_) | TxError::Driver(_) => {
                return Self::broken(&error.to_string());
            }
        })
    }
}

fn named(refusal: &Refusal) -> &str {
    if refusal.constraint.is_empty() { "a column that must not be null" } else { &refusal.constraint }
}
