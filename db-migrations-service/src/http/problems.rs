//! From an operation's error to a problem document.

use http::header::RETRY_AFTER;
use migration_engine::{EngineError, ErrorCode};
use web::Problem;

use super::codes;
use crate::operations::OperationError;

/// Seconds after which it is worth asking again.
const RETRY_SOON: &str = "5";

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Engine(error) => of_engine(&error),
            OperationError::Master(error) => {
                tracing::warn!(%error, "the master database");
                let kind = if error.unavailable { codes::MASTER_UNAVAILABLE } else { codes::MASTER_FAILED };
                let mut problem = Self::new(kind).detail(error.message).with("cure", error.cure);
                if error.unavailable {
                    problem = problem.header(RETRY_AFTER, RETRY_SOON);
                }
                problem
            }
            OperationError::Refused { code, message, cure } => {
                Self::new(codes::of_refusal(code)).detail(message).with("cure", cure)
            }
        }
    }
}

/// A refusal or a failure of the engine, with its place.
pub(super) fn of_engine(error: &EngineError) -> Problem {
    let kind = codes::of_engine(error.code);
    if matches!(error.code, ErrorCode::Internal | ErrorCode::ProjectUnreadable) {
        tracing::error!(%error, sql = ?error.sql, "the engine");
    }
    let mut problem = Problem::new(kind)
        // The folder's path is the server's own business; the log has it.
        .detail(if error.code == ErrorCode::ProjectUnreadable { "see the service's log" } else { &error.message })
        .with("cure", &error.cure)
        .with("migration", &error.migration)
        .with("location", &error.location)
        .with("sql", &error.sql)
        .with("leftBehind", &error.left_behind);
    if !error.blockers.is_empty() {
        problem = problem.with("blockers", &error.blockers);
    }
    if !error.findings.is_empty() {
        problem = problem.with("findings", &error.findings);
    }
    if !error.related.is_empty() {
        problem = problem.with("related", &error.related);
    }
    if matches!(error.code, ErrorCode::Busy | ErrorCode::LockTimeout | ErrorCode::DatabaseUnavailable) {
        problem = problem.header(RETRY_AFTER, RETRY_SOON);
    }
    problem
}
