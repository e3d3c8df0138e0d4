//! Whether a backup can be restored: it is, and what came of it is compared with what its manifest says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use embedded_postgres::Tools;
use futures_util::{StreamExt, TryStreamExt, stream};
use postgres_link::ConnectOptions;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::archive::{Figures, Table, TableName};
use crate::beside;
use crate::error::VaultError;
use crate::make::{blocking, settle, unless};
use crate::manifest::{BackupId, Manifest};
use crate::plan;
use crate::program::Program;
use crate::restore::{Side, own};
use crate::source::Source;
use crate::stream::{self as pipe, Progress};
use crate::vault::Vault;

/// More differences than a person reads; the rest is counted.
const LISTED: usize = 20;

/// What came of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// The backup.
    pub id: BackupId,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
    /// What is wrong with it, a sentence each; empty where it was restored as it was.
    pub findings: Vec<String>,
}

impl Verification {
    /// It can be restored, and is equal.
    pub fn holds(&self) -> bool {
        self.findings.is_empty()
    }
}

impl Vault {
    /// Restores a backup into a scratch database on the server of `server`, compares, and drops it.
    ///
    /// # Errors
    /// What says nothing about the backup: a storage or a server that is away, a key that is missing. What is wrong with the backup
    /// itself is a finding.
    pub async fn verify(
        &self,
        id: &BackupId,
        server: &ConnectOptions,
        progress: &Arc<Progress>,
        cancel: &CancellationToken,
    ) -> Result<Verification, VaultError> {
        let begun = Instant::now();
        let verification = |findings| Verification {
            id: id.clone(),
            at: self.now(),
            duration_ms: begun.elapsed().as_millis() as u64,
            findings,
        };
        let manifest = match self.manifest(id).await {
            Ok(manifest) => manifest,
            Err(VaultError::Manifest { source, .. }) => return Ok(verification(vec![source.to_string()])),
            Err(error) => return Err(error),
        };
        let side = Box::pin(Side::create(self, manifest, server, beside::VERIFYING, cancel)).await?;
        let compared = async {
            side.load(progress, cancel).await?;
            self.compare(&side, progress, cancel).await
        };
        let compared = Box::pin(unless(cancel, compared)).await;
        // What fails because the server ended says nothing about the backup.
        let is_there = side.is_there().await;
        side.strike().await;
        match compared {
            Ok(findings) => Ok(verification(findings)),
            Err(error) if error.is_about_the_backup() && is_there => Ok(verification(vec![error.to_string()])),
            Err(error) => Err(error),
        }
    }

    /// What came of a restore, held against what the manifest says.
    pub(crate) async fn compare(
        &self,
        side: &Side<'_>,
        progress: &Arc<Progress>,
        cancel: &CancellationToken,
    ) -> Result<Vec<String>, VaultError> {
        let manifest = &side.manifest;
        self.mark_outside_keys(side, true).await?;
        let source = Source::open(&side.connect(), &manifest.scope).await?;
        let mut findings = Vec::new();
        if source.definitions.fingerprint().to_string() != manifest.fingerprint {
            findings.extend(schemas(manifest, &source));
        }
        let tools = Tools::for_server(&self.variables(), source.facts.server_version_num / 10_000)?;
        let parts = plan::data_parts(&source.tables, plan::schemas(&manifest.scope), self.jobs());
        let looks = parts.into_iter().map(async |part| {
            let program = Program::pg_dump(&tools, &side.connect(), &source.snapshot)
                .arguments(["--section=data"])
                .arguments(part.arguments);
            let mut running = program.start()?;
            running.end_with(cancel);
            let (output, progress) = (running.take_output(), Arc::clone(progress));
            let looked = blocking(move || settle(pipe::look(output, &progress), running)).await;
            Ok::<_, VaultError>(looked.map_err(|ended| ended.told(&part.name))?.tables)
        });
        let found: Vec<Vec<Table>> = stream::iter(looks).buffer_unordered(self.jobs()).try_collect().await?;
        findings.extend(rows(&manifest.tables, &found.concat()));
        let more = findings.len().saturating_sub(LISTED);
        if more > 0 {
            findings.truncate(LISTED);
            findings.push(format!("and {more} more differences"));
        }
        source.conn.close().await;
        Ok(findings)
    }

    /// Keys that lead out of the backup cannot be checked here, and were checked there: they pass for it, in this scratch database.
    pub(crate) async fn mark_outside_keys(&self, side: &Side<'_>, checked: bool) -> Result<(), VaultError> {
        let keys = side.manifest.outside_keys.iter().filter(|key| !key.definition.ends_with(" NOT VALID"));
        let literal = postgres_link::quote::literal;
        let rows: Vec<String> = keys
            .map(|key| format!("({},{},{})", literal(&key.table.schema), literal(&key.table.name), literal(&key.name)))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        let conn = postgres_link::connect(&side.connect()).await?;
        let update = format!(
            "UPDATE pg_constraint k SET convalidated = {checked} FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.oid = k.conrelid AND (n.nspname, c.relname, k.conname) IN ({})",
            rows.join(",")
        );
        conn.batch(&update).await.map_err(own("passing foreign keys that lead out of the backup"))?;
        conn.close().await;
        Ok(())
    }
}

/// Which schemas are not what they were.
fn schemas(manifest: &Manifest, source: &Source) -> Vec<String> {
    let live = source.definitions.schema_fingerprints();
    let live: BTreeMap<&str, String> =
        live.iter().map(|(name, print)| (name.unwrap_or(""), print.to_string())).collect();
    let called =
        |name: &str| if name.is_empty() { "the database's own objects".to_owned() } else { format!("schema {name}") };
    let mut findings = Vec::new();
    for (name, print) in &manifest.schemas {
        match live.get(name.as_str()) {
            None => findings.push(format!("{} did not come back", called(name))),
            Some(other) if other != print => {
                findings.push(format!("{} came back with other definitions", called(name)));
            }
            Some(_) => {}
        }
    }
    findings.extend(
        live.keys()
            .filter(|name| !manifest.schemas.contains_key(**name))
            .map(|name| format!("{} was not in the backup", called(name))),
    );
    findings
}

/// Which tables do not hold what they held.
fn rows(expected: &[Table], found: &[Table]) -> Vec<String> {
    let found: BTreeMap<&TableName, Figures> = found.iter().map(|table| (&table.name, table.figures)).collect();
    let mut findings = Vec::new();
    for Table { name, figures } in expected {
        match found.get(name) {
            None => findings.push(format!("{name} did not come back")),
            Some(other) if other.rows != figures.rows => {
                findings.push(format!("{name} has {} rows, and had {}", other.rows, figures.rows));
            }
            Some(other) if other.checksum != figures.checksum => findings.push(format!("{name} holds other rows")),
            Some(_) => {}
        }
    }
    findings
}
