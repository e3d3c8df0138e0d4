//! What a migration is called: a schema and a version within it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The number that orders the migrations of one schema. Written as in the file name, usually a UTC time of fourteen
/// digits; compared as a number, so `0001` and `1` are the same version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(i64);

impl Version {
    /// The longest version that is read: it fits PostgreSQL's `bigint`.
    pub const MAX_DIGITS: usize = 18;

    /// The number itself.
    pub fn get(self) -> i64 {
        self.0
    }

    /// A version that came out of the history table.
    pub(crate) fn from_stored(number: i64) -> Self {
        Self(number)
    }
}

impl FromStr for Version {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let wrong = || InvalidId(text.to_owned(), "a version is 1 to 18 digits");
        if text.is_empty() || text.len() > Self::MAX_DIGITS || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        text.parse().map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One migration of a project: `auth/20260901100000`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MigrationId {
    /// The schema folder that holds it.
    pub schema: String,
    /// Its place within the schema.
    pub version: Version,
}

impl MigrationId {
    /// Names the migration `version` of `schema`.
    pub fn new(schema: impl Into<String>, version: Version) -> Self {
        Self { schema: schema.into(), version }
    }
}

impl FromStr for MigrationId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (schema, version) = text
            .split_once('/')
            .ok_or_else(|| InvalidId(text.to_owned(), "a migration is named <schema>/<version>"))?;
        let digits = version.split_once('_').map_or(version, |(digits, _)| digits);
        Ok(Self { schema: schema.to_owned(), version: digits.parse()? })
    }
}

impl fmt::Display for MigrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.schema, self.version)
    }
}

impl Serialize for MigrationId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MigrationId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that names no migration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} does not name a migration: {1}")]
pub struct InvalidId(String, &'static str);
