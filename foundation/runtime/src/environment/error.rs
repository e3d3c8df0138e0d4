//! What is wrong with a configuration.

use std::fmt;
use std::path::PathBuf;

/// One bad value; the text names the variable and the cure, and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The value cannot be read.
    #[error("{name} has the value {shown}: {reason}")]
    Invalid {
        /// The variable.
        name: String,
        /// The value in quotes, or a word that it is secret.
        shown: String,
        /// Why.
        reason: String,
    },
    /// It has to be set and is not.
    #[error("{name} is not set: {hint}")]
    Missing {
        /// The variable.
        name: String,
        /// What belongs there.
        hint: String,
    },
    /// A value and a file for it.
    #[error("{name} and {name}_FILE are both set; keep one of them")]
    Both {
        /// The variable.
        name: String,
    },
    /// The file of a value cannot be read.
    #[error("{name} names the file {path}, which cannot be read: {reason}")]
    ValueFile {
        /// The variable with `_FILE`.
        name: String,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        reason: String,
    },
    /// `.env` cannot be read.
    #[error("{path} cannot be read: {reason}")]
    Dotenv {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        reason: String,
    },
    /// A line of `.env` is malformed.
    #[error("{path}, line {line}: {reason}")]
    DotenvLine {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: &'static str,
    },
}

impl ConfigError {
    /// A value that was refused; kept out of the text where it may be secret.
    pub(super) fn invalid(name: &str, value: &str, reason: &str) -> Self {
        let (shown, reason) = if !is_secret(name) {
            (format!("`{value}`"), reason.to_owned())
        } else if reason.contains(value.trim()) {
            ("(not shown)".to_owned(), "it cannot be read".to_owned())
        } else {
            ("(not shown)".to_owned(), reason.to_owned())
        };
        Self::Invalid { name: name.to_owned(), shown, reason }
    }
}

/// Whether a variable of this name may hold a secret. URLs count: they may hold a password.
pub fn is_secret(name: &str) -> bool {
    const PARTS: [&str; 9] = ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "DSN", "URL"];
    let name = name.to_ascii_uppercase();
    PARTS.iter().any(|part| name.contains(part))
}

/// All bad values of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "the configuration has an error: {one}"),
            all => {
                write!(f, "the configuration has {} errors:", all.len())?;
                all.iter().try_for_each(|error| write!(f, "\n  - {error}"))
            }
        }
    }
}

impl std::error::Error for ConfigErrors {}
