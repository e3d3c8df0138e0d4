//! An error on its way to a person or a program.

use std::fmt::Display;

use embedded_postgres::StartError as ClusterError;
use migration_engine::{EngineError, ErrorCode};
use serde_json::{Value, json};

use super::exit::Exit;
use crate::operations::{MasterError, OperationError};
use crate::serve::StartError;
use crate::settings::SettingsError;

/// What went wrong, and the exit code that it gives.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// What is shown.
    pub error: Box<EngineError>,
    /// The code in JSON, where it is not one of the engine's.
    code: Option<String>,
}

impl Failure {
    /// Wrong use.
    pub fn usage(message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::other(Exit::Usage, "usage", message, cure)
    }

    /// Anything that has no code of the engine.
    pub fn other(exit: Exit, code: &str, message: impl Into<String>, cure: impl Into<String>) -> Self {
        let mut error = EngineError::new(ErrorCode::Internal, message);
        error.cure = Some(cure.into()).filter(|cure| !cure.is_empty());
        Self { exit, error: Box::new(error), code: Some(code.to_owned()) }
    }

    /// A file or folder could not be handled.
    pub fn file(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::other(Exit::Failed, "file", format!("cannot {doing} {}: {error}", path.display()), "")
    }

    /// The code that programs switch on.
    pub fn code(&self) -> String {
        self.code.clone().unwrap_or_else(|| word(self.error.code))
    }

    /// As a JSON document.
    pub fn to_json(&self) -> Value {
        let mut error = serde_json::to_value(&*self.error).unwrap_or_default();
        error["code"] = json!(self.code());
        json!({ "error": error, "exitCode": self.exit as u8 })
    }
}

fn word(code: ErrorCode) -> String {
    serde_json::to_value(code).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self { exit: error.code.into(), error: Box::new(error), code: None }
    }
}

impl From<Box<EngineError>> for Failure {
    fn from(error: Box<EngineError>) -> Self {
        Self { exit: error.code.into(), error, code: None }
    }
}

impl From<OperationError> for Failure {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Engine(error) => error.into(),
            OperationError::Master(error) => error.into(),
            OperationError::Refused { code, message, cure } => {
                let name =
                    serde_json::to_value(code).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
                Self::other(code.into(), &name, message, cure.unwrap_or_default())
            }
        }
    }
}

impl From<MasterError> for Failure {
    fn from(error: MasterError) -> Self {
        let exit = if error.unavailable { Exit::Unavailable } else { Exit::Failed };
        let mut failure = Self::other(exit, "master_database", error.message, error.cure.unwrap_or_default());
        failure.error.sql = error.sql;
        failure
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::settings(&error.problems)
    }
}

impl Failure {
    /// Settings that cannot be used, all of them.
    pub fn settings(problems: &[impl Display]) -> Self {
        let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let message = match list.as_slice() {
            [one] => one.clone(),
            several => format!("{} settings cannot be used:\n  - {}", several.len(), several.join("\n  - ")),
        };
        Self::other(
            Exit::Usage,
            "settings",
            message,
            "correct the environment or the .env file; `profe doctor` checks all of it",
        )
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Port { address, cure, source } => {
                let message = match source.kind() {
                    std::io::ErrorKind::AddrInUse => {
                        format!("port {} is taken: another program listens on {address}", address.port())
                    }
                    _ => format!("cannot listen on {address}: {source}"),
                };
                Self::other(Exit::Failed, "port", message, cure)
            }
            other => Self::other(Exit::Refused, "unprotected", other.to_string(), ""),
        }
    }
}

/// The private cluster did not start. Its sentences name the cure after a semicolon.
impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Self {
        let exit = if matches!(error, ClusterError::InUse { .. }) { Exit::Busy } else { Exit::Unavailable };
        let text = error.to_string();
        let (message, cure) = text.rsplit_once("; ").unwrap_or((&text, ""));
        Self::other(exit, "private_database", message, cure)
    }
}
