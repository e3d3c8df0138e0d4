//! What a backup says of itself. It is written last: what has no manifest is no backup.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::archive::{Table, TableName};
use crate::error::VaultError;
use crate::stream::hex;

/// Where a database keeps its migration history; the same as the engine's.
pub(crate) const HISTORY_SCHEMA: &str = "migration_service";

/// The version of this form.
const FORMAT: u32 = 1;

/// A backup's name: when it was made, of what, and a few letters that make it one of its kind. It is a folder's name and nothing
/// else: lower-case letters, digits and dashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackupId(String);

/// A text that is no backup's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no backup's id; `profe backup list` shows those there are")]
pub struct NotAnId(String);

impl BackupId {
    /// One that there is no other of, for a backup that begins at `at`; of `what` only what may stand in a name is taken over.
    ///
    /// # Errors
    /// No random bytes are to be had.
    pub fn generate(at: OffsetDateTime, what: &str) -> Result<Self, VaultError> {
        Ok(Self::new(at, what, Self::lot()?))
    }

    /// What makes a name one of its kind.
    pub(crate) fn lot() -> Result<u32, VaultError> {
        let mut lot = [0; 4];
        getrandom::fill(&mut lot).map_err(|error| VaultError::Random(error.to_string()))?;
        Ok(u32::from_le_bytes(lot))
    }

    pub(crate) fn new(at: OffsetDateTime, what: &str, lot: u32) -> Self {
        let date = at.date();
        let (hour, minute, second) = at.time().as_hms();
        let letters = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let what: String = what.chars().map(letters).take(40).collect();
        let what = what.trim_matches('-');
        Self(format!(
            "{:04}{:02}{:02}-{hour:02}{minute:02}{second:02}-{what}{}{:06x}",
            date.year(),
            u8::from(date.month()),
            date.day(),
            if what.is_empty() { "" } else { "-" },
            lot & 0xFF_FFFF
        ))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BackupId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_one =
            (16..=80).contains(&text.len()) && text.chars().all(fits) && text.starts_with(|c: char| c.is_ascii_digit());
        if is_one { Ok(Self(text.to_owned())) } else { Err(NotAnId(text.chars().take(100).collect())) }
    }
}

impl TryFrom<String> for BackupId {
    type Error = NotAnId;

    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

impl From<BackupId> for String {
    fn from(id: BackupId) -> Self {
        id.0
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a backup covers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    /// The services, in the catalogue's words; empty for a whole database.
    pub services: Vec<String>,
    /// The schemas whose rows it has; empty for a whole database.
    pub schemas: Vec<String>,
}

impl Scope {
    /// All of a database.
    pub fn is_whole(&self) -> bool {
        self.schemas.is_empty()
    }

    /// Whether the rows of a schema are among it. Those of the migration history always are.
    pub fn has(&self, schema: &str) -> bool {
        self.is_whole() || schema == HISTORY_SCHEMA || self.schemas.iter().any(|own| own == schema)
    }
}

/// What a part of a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// SQL: the roles that own something or were granted something, the database's settings and rights.
    Roles,
    /// An archive of `pg_dump`: all definitions of the database.
    Schema,
    /// An archive of `pg_dump`: rows.
    Data,
}

/// One object of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its name below the backup's.
    pub object: String,
    /// Its length, bytes.
    pub bytes: u64,
    /// SHA-256 of what is stored, in hex.
    pub sha256: String,
}

/// A part of a backup: one stream, in one object or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: PartKind,
    /// Its length before compression and encryption, bytes.
    pub plain_bytes: u64,
    /// 128-bit XXH3 of that, in hex: that nothing was lost on the way. What is stored has its SHA-256.
    pub plain_checksum: String,
    /// Where it is, in order.
    pub segments: Vec<Segment>,
}

impl Part {
    /// Its length in the store, bytes.
    pub fn stored_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }
}

/// A foreign key from what was backed up to what was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutsideKey {
    /// Its number in the database that was backed up, which the archive's list names it by.
    pub oid: u32,
    /// Whose it is.
    pub table: TableName,
    /// Its name.
    pub name: String,
    /// What it references.
    pub references: TableName,
    /// Its definition, as PostgreSQL writes it.
    pub definition: String,
}

/// How far the migration history had come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryHead {
    /// The number of the newest row.
    pub row: i64,
    /// The newest migration that is applied, `schema/version`.
    pub migration: Option<String>,
    /// How many are applied.
    pub applied: u64,
}

/// What a backup says of itself. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The version of this form.
    pub format: u32,
    /// The backup.
    pub id: BackupId,
    /// When its snapshot was taken.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was complete.
    #[serde(with = "time::serde::rfc3339")]
    pub finished_at: OffsetDateTime,
    /// The environment, in the catalogue's words.
    pub environment: String,
    /// The database's name.
    pub database: String,
    /// The cluster's system identifier and the database's number in it.
    pub origin: String,
    /// What it covers.
    pub scope: Scope,
    /// What somebody said it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who asked for it.
    pub made_by: String,
    /// How long to keep it, days; without an end where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    /// The server's version, as `server_version_num`.
    pub server_version_num: u32,
    /// The database's encoding and locale.
    pub locale: BTreeMap<String, String>,
    /// The version of `pg_dump`.
    pub pg_dump: String,
    /// The migration history's head; absent where the database has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryHead>,
    /// The fingerprint of all schemas of the database.
    pub fingerprint: String,
    /// The fingerprint of each schema.
    pub schemas: BTreeMap<String, String>,
    /// What the tables held whose rows it has.
    pub tables: Vec<Table>,
    /// Foreign keys to tables whose rows it has not. They are restored unchecked.
    pub outside_keys: Vec<OutsideKey>,
    /// Its parts.
    pub parts: Vec<Part>,
    /// The public keys that it is encrypted to; empty where it is not.
    pub recipients: Vec<String>,
    /// SHA-256 of all of the above: this form without this member, as compact JSON, in hex.
    #[serde(default)]
    pub sha256: String,
}

/// Why a manifest is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is no JSON of this form.
    #[error("the manifest cannot be read: {0}")]
    Form(String),
    /// It was written by a newer release.
    #[error("the manifest is of format {0}, which this release does not read; use a newer one")]
    Newer(u32),
    /// It says something else than when it was written.
    #[error("the manifest was changed after it was written: its checksum does not fit")]
    Changed,
    /// It lies in another backup's folder.
    #[error("the manifest is that of another backup, {0}")]
    Misplaced(BackupId),
}

impl Manifest {
    /// The current form.
    pub(crate) const FORMAT: u32 = FORMAT;

    /// Its length in the store, bytes, without the manifest itself.
    pub fn stored_bytes(&self) -> u64 {
        self.parts.iter().map(Part::stored_bytes).sum()
    }

    /// The rows in it.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.figures.rows).sum()
    }

    /// Adds its checksum, and writes it as it is stored.
    ///
    /// # Errors
    /// It cannot be written as JSON, which does not happen.
    pub(crate) fn seal(&mut self) -> Result<Vec<u8>, ManifestError> {
        let form = |error: serde_json::Error| ManifestError::Form(error.to_string());
        self.sha256 = self.digest().map_err(form)?;
        serde_json::to_vec_pretty(self).map_err(form)
    }

    /// Reads what [`seal`](Self::seal) wrote into the folder of `id`.
    ///
    /// # Errors
    /// It is another, or was changed.
    pub(crate) fn read(json: &[u8], id: &BackupId) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let form = |error: serde_json::Error| ManifestError::Form(error.to_string());
        let version: Version = serde_json::from_slice(json).map_err(form)?;
        if version.format > FORMAT {
            return Err(ManifestError::Newer(version.format));
        }
        let manifest: Self = serde_json::from_slice(json).map_err(form)?;
        if manifest.digest().map_err(form)? != manifest.sha256 {
            return Err(ManifestError::Changed);
        }
        if manifest.id != *id {
            return Err(ManifestError::Misplaced(manifest.id));
        }
        Ok(manifest)
    }

    fn digest(&self) -> serde_json::Result<String> {
        let plain = Self { sha256: String::new(), ..self.clone() };
        Ok(hex(&Sha256::digest(serde_json::to_vec(&plain)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_names_and_nothing_else() {
        let id = BackupId::new(time::macros::datetime!(2026-09-23 08:05:09 UTC), "Auth-Service /../", 0x00AB_CDEF);
        assert_eq!(id.as_str(), "20260923-080509-auth-service-abcdef");
        assert_eq!(id.as_str().parse(), Ok(id));
        assert_eq!(
            BackupId::new(time::macros::datetime!(2026-09-23 08:05:09 UTC), "á", 1).as_str(),
            "20260923-080509-000001"
        );
        for text in [
            "",
            "..",
            "20260923-080509/../x",
            "20260923-080509-é-000001",
            "/etc/passwd-and-so-on",
            "20260923-080509-A-1",
            "a".repeat(30).as_str(),
        ] {
            assert!(text.parse::<BackupId>().is_err(), "{text}");
        }
    }
}
