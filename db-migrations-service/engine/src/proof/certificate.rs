//! What a rehearsal proves, and where it is kept: in the target, so that a backup of it is whole.

use std::collections::BTreeMap;

use postgres_link::AdminConn;
use schema_catalog::Fingerprint;
use serde::{Deserialize, Serialize};

use super::data::DataSource;
use super::report::StatementFigures;
use crate::error::EngineError;
use crate::migration::MigrationId;
use crate::target::quote::literal;
use crate::target::session::own_statement;
use crate::target::store::{cells, migration_id};

/// Proof that a migration does what its files say: up, back to exactly where it began, and up again to exactly where
/// it had been.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// SHA-256 of the up file's bytes.
    pub up_hash: String,
    /// SHA-256 of the down file's bytes.
    pub down_hash: String,
    /// Of the managed schemas, before.
    pub before: Fingerprint,
    /// Of the managed schemas, after.
    pub after: Fingerprint,
    /// The server that it was rehearsed on, as `server_version_num`.
    pub server_version_num: u32,
    /// When, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    pub at: time::OffsetDateTime,
    /// Why there is no way back; then only the way there was walked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<String>,
    /// The rows that it was rehearsed on; `None` where the tables were as empty as the migrations make them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_data: Option<DataSource>,
    /// The way there, milliseconds, once measured and once as it will be run.
    pub up_ms: [u64; 2],
    /// The way back, milliseconds.
    pub down_ms: Option<u64>,
    /// The whole walk with its comparisons, milliseconds.
    pub walk_ms: u64,
    /// Statement by statement.
    pub statements: Vec<StatementFigures>,
}

impl Certificate {
    /// Whether it speaks of these files on a schema with this fingerprint, on a server of the same major version.
    pub(crate) fn holds_for(&self, up: &str, down: &str, before: Fingerprint, server_version_num: u32) -> bool {
        self.up_hash == up
            && self.down_hash == down
            && self.before == before
            && self.server_version_num / 10_000 == server_version_num / 10_000
    }
}

/// Part of the engine's own tables since version 1 of them; made wherever it is missing.
pub(crate) const CREATE: &str = include_str!("certificate.sql");

/// The newest certificate of every migration.
pub(crate) async fn read(conn: &AdminConn) -> Result<BTreeMap<MigrationId, Certificate>, EngineError> {
    let query = "SELECT schema_name, version, content FROM migration_service.certificate";
    let outcome = match conn.batch(query).await {
        Ok(outcome) => outcome,
        Err(error) if matches!(error.sqlstate(), Some("42P01" | "3F000")) => return Ok(BTreeMap::new()),
        Err(error) => return Err(own_statement(&error, "reading the certificates")),
    };
    let mut all = BTreeMap::new();
    for row in outcome.statements.into_iter().flat_map(|s| s.rows) {
        let [schema, version, content] = cells(row)?;
        // One that an older program wrote in another form proves nothing to this one: it is rehearsed again.
        if let Ok(certificate) = serde_json::from_str(&content) {
            all.insert(migration_id(schema, &version)?, certificate);
        }
    }
    Ok(all)
}

/// The statement that keeps a certificate in place of an older one.
pub(crate) fn keep(id: &MigrationId, certificate: &Certificate) -> Option<String> {
    let content = serde_json::to_string(certificate).ok()?;
    Some(format!(
        "INSERT INTO migration_service.certificate (schema_name, version, content) VALUES ({}, {}, {}) \
         ON CONFLICT (schema_name, version) DO UPDATE SET content = excluded.content, at = clock_timestamp()",
        literal(&id.schema),
        id.version,
        literal(&content)
    ))
}
