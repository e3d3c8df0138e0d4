//! What is known of how migrations were proven: their certificates, and the gates of the runs that applied them.

use std::collections::BTreeMap;

use migration_engine::MigrationId;
use postgres_link::tokio_postgres::types::Type;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Caller, OperationError, Operations, RefusalCode};

const PRESENT: &str = "SELECT jsonb_build_object('history', to_regclass('migration_service.history') IS NOT NULL, \
    'certificates', to_regclass('migration_service.certificate') IS NOT NULL, \
    'overrides', to_regclass('migration_service.gate_override') IS NOT NULL)";
const APPLIED: &str = "SELECT coalesce(jsonb_agg(jsonb_build_object('migration', concat(schema_name, '/', version), \
    'textHash', encode(sha256(convert_to(up_sql, 'UTF8')), 'hex'), 'fileHash', file_hash, 'runId', run_id) ORDER BY id), '[]') FROM migration_service.history \
    WHERE rolled_back_at IS NULL AND schema_name = ANY ($1) AND ($2 IS NULL OR concat(schema_name, '/', version) = $2)";
/// Statement by statement only of one: of all of them it would be megabytes.
const CERTIFICATES: &str = "SELECT coalesce(jsonb_object_agg(concat(schema_name, '/', version), \
    CASE WHEN $2 IS NULL THEN content - 'statements' ELSE content END), '{}') FROM migration_service.certificate \
    WHERE schema_name = ANY ($1) AND ($2 IS NULL OR concat(schema_name, '/', version) = $2)";
const OVERRIDES: &str = "SELECT coalesce(jsonb_agg(jsonb_build_object('runId', run_id, 'gate', gate, 'reason', reason, \
    'by', by_whom, 'at', at) ORDER BY at), '[]') FROM migration_service.gate_override WHERE run_id = ANY ($1)";

/// Whose certificates.
#[derive(Debug, Clone, Default)]
pub struct CertificateOrder {
    /// Which environment; `None` is the default one.
    pub environment: Option<String>,
    /// Only this service's migrations.
    pub service: Option<String>,
    /// Only this migration's; then statement by statement.
    pub migration: Option<MigrationId>,
}

/// How a migration was proven.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProofOnRecord {
    /// The migration, `<schema>/<version>`.
    #[schema(example = "auth/20260901010000")]
    pub migration: String,
    /// It is applied.
    pub applied: bool,
    /// The run that applied it.
    pub run_id: Option<Uuid>,
    /// The newest certificate that the target keeps: upHash, downHash, before, after, serverVersionNum, at, withData, upMs, downMs,
    /// walkMs, and of a single migration statements. Null where it was never rehearsed there.
    #[schema(value_type = Option<Object>)]
    pub certificate: Option<Value>,
    /// The certificate is of the very text that was applied, or was accepted as that; null where one of the two is missing.
    pub of_applied_file: Option<bool>,
    /// The gates that its run went through: gate, required, holds, skipped. Empty where the environment required none.
    #[schema(value_type = Vec<Object>)]
    pub gates: Vec<Value>,
    /// Gates that were passed by in its run, with the reason.
    pub overrides: Vec<PassedBy>,
}

/// A gate that somebody passed by.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PassedBy {
    /// Which one.
    #[schema(example = "rehearsed")]
    pub gate: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: OffsetDateTime,
    #[serde(skip_serializing)]
    run_id: Uuid,
}

#[derive(Deserialize)]
struct Present {
    history: bool,
    certificates: bool,
    overrides: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Applied {
    migration: String,
    /// Of what was applied, and of the file that was accepted as that later.
    text_hash: String,
    file_hash: String,
    run_id: Uuid,
}

impl Operations {
    /// How migrations were proven on a target: those that are applied in their order, then those that have a certificate only.
    ///
    /// # Errors
    /// Unknown names, a caller who may not see them, a database that is away.
    pub async fn certificates(
        &self,
        order: &CertificateOrder,
        caller: &Caller,
    ) -> Result<Vec<ProofOnRecord>, OperationError> {
        let service = order.service.as_deref();
        if service.is_some() {
            caller.check(service)?;
        }
        self.known_service(service)?;
        let seen = |name: &str| service.is_none_or(|only| only == name) && caller.may_touch(name);
        let services = self.catalogue().services.iter().filter(|(name, _)| seen(name));
        let schemas: Vec<String> = services.flat_map(|(_, entry)| entry.schemas.clone()).collect();
        let only = order.migration.as_ref().map(ToString::to_string);
        let part: [(&(dyn postgres_link::tokio_postgres::types::ToSql + Sync), Type); 2] =
            [(&schemas, Type::TEXT_ARRAY), (&only, Type::TEXT)];

        let inspection = match self.inspect(order.environment.as_deref()).await {
            // Before the first run there is nothing on record.
            Err(OperationError::Refused { code: RefusalCode::DatabaseNotCreated, .. }) => return Ok(Vec::new()),
            inspection => inspection?,
        };
        let present: Present = inspection.document(PRESENT, &[]).await?;
        if !present.history {
            return Ok(Vec::new());
        }
        let applied: Vec<Applied> = inspection.document(APPLIED, &part).await?;
        let mut certificates: BTreeMap<String, Value> =
            if present.certificates { inspection.document(CERTIFICATES, &part).await? } else { BTreeMap::new() };
        let mut runs: Vec<Uuid> = applied.iter().map(|entry| entry.run_id).collect();
        runs.sort_unstable();
        runs.dedup();
        let overrides: Vec<PassedBy> = if present.overrides {
            inspection.document(OVERRIDES, &[(&runs, Type::UUID_ARRAY)]).await?
        } else {
            Vec::new()
        };
        // What the target keeps is told also while the master database is away.
        let gates = self.master().gates_of(&runs).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the gates that runs went through are not at hand");
            BTreeMap::new()
        });
        let mut proofs: Vec<ProofOnRecord> = applied
            .into_iter()
            .map(|entry| {
                let certificate = certificates.remove(&entry.migration);
                ProofOnRecord {
                    of_applied_file: certificate
                        .as_ref()
                        .map(|proof| proof["upHash"] == entry.text_hash || proof["upHash"] == entry.file_hash),
                    applied: true,
                    run_id: Some(entry.run_id),
                    gates: gates.get(&entry.run_id).cloned().unwrap_or_default(),
                    overrides: overrides.iter().filter(|gate| gate.run_id == entry.run_id).cloned().collect(),
                    migration: entry.migration,
                    certificate,
                }
            })
            .collect();
        proofs.extend(certificates.into_iter().map(|(migration, certificate)| ProofOnRecord {
            migration,
            applied: false,
            run_id: None,
            certificate: Some(certificate),
            of_applied_file: None,
            gates: Vec::new(),
            overrides: Vec::new(),
        }));
        Ok(proofs)
    }
}
