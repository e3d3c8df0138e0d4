//! Configuration from environment variables, a `.env` file and files that hold one value.
//!
//! Order: the process's variables, then `.env`. In each, `NAME_FILE` may stand for `NAME`: the value is that file's
//! content, which is how container platforms hand out secrets. An empty value counts as not set. Nothing is written
//! back to the process's environment, and `$OTHER` inside a value is not replaced.

mod collector;
mod dotenv;
mod error;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::str::FromStr;

pub use collector::Collector;
pub use error::{ConfigError, ConfigErrors, is_secret};

/// A snapshot of all variables; does not change when the process's environment does.
#[derive(Clone, Default)]
pub struct Environment {
    process: BTreeMap<String, String>,
    file: BTreeMap<String, String>,
    /// What the program itself knows, where nobody says otherwise.
    usual: BTreeMap<String, String>,
}

impl Environment {
    /// The process's variables over those of `.env` in the current folder, if there is one.
    ///
    /// # Errors
    /// A `.env` that cannot be read or has malformed lines, all of them.
    pub fn load() -> Result<Self, ConfigErrors> {
        Self::layered(utf8_variables(), Path::new(".env"))
    }

    /// The given variables over those of the given file, if it exists.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn layered(process: impl IntoIterator<Item = (String, String)>, file: &Path) -> Result<Self, ConfigErrors> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => {
                return Err(ConfigErrors(vec![ConfigError::Dotenv {
                    path: file.to_owned(),
                    reason: source.to_string(),
                }]));
            }
        };
        let malformed = |(line, reason)| ConfigError::DotenvLine { path: file.to_owned(), line, reason };
        let file = dotenv::parse(&text).map_err(|lines| ConfigErrors(lines.into_iter().map(malformed).collect()))?;
        Ok(Self { process: process.into_iter().collect(), file, usual: BTreeMap::new() })
    }

    /// Only these variables; for tests.
    pub fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { process: owned.into(), ..Self::default() }
    }

    /// With these values where nothing is set: what a program that composes several parts knows of each for the others.
    #[must_use]
    pub fn or_usually(mut self, values: impl IntoIterator<Item = (String, String)>) -> Self {
        self.usual.extend(values);
        self
    }

    /// The value of `NAME`, or the content of the file `NAME_FILE` names, without the line break at its end.
    ///
    /// # Errors
    /// Both are set, or the file cannot be read.
    pub fn get(&self, name: &str) -> Result<Option<String>, ConfigError> {
        let file_name = format!("{name}_FILE");
        for layer in [&self.process, &self.file, &self.usual] {
            let set = |name: &str| layer.get(name).filter(|value| !value.is_empty());
            match (set(name), set(&file_name)) {
                (Some(_), Some(_)) => return Err(ConfigError::Both { name: name.to_owned() }),
                (Some(value), None) => return Ok(Some(value.clone())),
                (None, Some(path)) => {
                    let text = fs::read_to_string(path).map_err(|error| ConfigError::ValueFile {
                        name: file_name.clone(),
                        path: path.into(),
                        reason: error.to_string(),
                    })?;
                    let value = text.strip_suffix('\n').map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t));
                    return Ok(Some(value.to_owned()).filter(|value| !value.is_empty()));
                }
                (None, None) => {}
            }
        }
        Ok(None)
    }

    /// The value read as a `T`.
    ///
    /// # Errors
    /// As [`get`](Self::get), or the value cannot be read. A secret value is not repeated.
    pub fn parse<T>(&self, name: &str) -> Result<Option<T>, ConfigError>
    where
        T: FromStr,
        T::Err: Display,
    {
        let Some(value) = self.get(name)? else { return Ok(None) };
        value.trim().parse().map(Some).map_err(|error: T::Err| ConfigError::invalid(name, &value, &error.to_string()))
    }

    /// Reads many values and reports all bad ones together.
    pub fn collector(&self) -> Collector<'_> {
        Collector::new(self)
    }

    /// A look-up for libraries that take one, such as connection options. A value that cannot be had counts as not
    /// set there; ask for it with [`get`](Self::get) first where that matters.
    pub fn lookup(&self) -> impl Fn(&str) -> Option<String> + '_ {
        |name| self.get(name).ok().flatten()
    }
}

/// Names, never values.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("process", &self.process.keys())
            .field("file", &self.file.keys())
            .field("usual", &self.usual.keys())
            .finish()
    }
}

/// A variable that is not UTF-8 is not one of ours.
fn utf8_variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

#[cfg(test)]
mod tests;
