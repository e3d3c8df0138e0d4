//! Why there is no answer, and why a release does not fit.

use crate::answer::Compatibility;

/// Why the migration service gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The settings cannot be used.
    #[error("the settings of the migration client cannot be used: {0}")]
    Settings(String),
    /// It could not be reached, or cannot answer now.
    #[error("the migration service is away: {0}")]
    Away(String),
    /// It refused: a token, a name or what is needed has to be corrected.
    #[error("the migration service refused ({code}): {detail}")]
    Refused {
        /// The problem's stable code.
        code: String,
        /// What is wrong.
        detail: String,
        /// What to do.
        cure: Option<String>,
    },
}

/// Why a release does not fit within the time that it was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCompatible {
    /// It does not, and waiting does not change that.
    #[error("the schemas do not fit this release: {}", reason(.0))]
    Incompatible(Compatibility),
    /// It did not come to in time.
    #[error("the schemas did not fit this release in time: {}", reason(.0))]
    Late(Compatibility),
    /// Nobody could say it in time.
    #[error("whether the schemas fit this release is unknown: {0}")]
    Unknown(ClientError),
    /// The question was refused.
    #[error(transparent)]
    Refused(ClientError),
}

fn reason(found: &Compatibility) -> String {
    let reason = found.reason.as_deref().unwrap_or("no reason was given");
    found.cure.as_ref().map_or_else(|| reason.to_owned(), |cure| format!("{reason}; {cure}"))
}
