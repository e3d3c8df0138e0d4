//! *Drift*: what the live schemas are, held against what the history makes of an empty database.
//!
//! Expected is a replay, so nothing has to be believed: no file, no stored fingerprint. What can be told without a
//! replay – the fingerprint that the newest certificate promised – is told by [`fingerprints`].

mod approach;
mod definition;
mod statement;

pub mod adopt;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use postgres_link::AdminConn;
use schema_catalog::{Difference, Fingerprint, Snapshot, difference};
use serde::Serialize;

use super::certificate;
use super::rehearsal::managed;
use super::rehearse::snapshot;
use super::stage::Stage;
use crate::engine::Target;
use crate::error::EngineError;
use crate::project::Project;
use crate::request::{RunContext, Scope};
use crate::target::session::{self, own_statement};
use crate::target::{prepare, store};

/// One schema, expected and live.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaDrift {
    /// Its name.
    pub schema: String,
    /// Whose.
    pub service: String,
    /// What the history makes of it; `None` where it makes no such schema.
    pub expected: Option<Fingerprint>,
    /// What it is; `None` where it is not there.
    pub live: Option<Fingerprint>,
    /// They are equal.
    pub agrees: bool,
}

/// One difference from expected to live.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drifted {
    /// The service that owns the schema.
    pub service: Option<String>,
    /// A sentence: expected → live.
    pub words: String,
    /// Object, property, before (expected) and after (live).
    #[serde(flatten)]
    pub difference: Difference,
}

/// The live schemas against what their history makes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftReport {
    /// The environment that was asked about.
    pub environment: String,
    /// Of all schemas asked about, as the history makes them.
    pub expected: Fingerprint,
    /// Of the same, as they are.
    pub live: Fingerprint,
    /// Nothing differs.
    pub agrees: bool,
    /// Roles and grants are as the present catalogue says. Where they are not, the next run changes them, and what
    /// differs may be that.
    pub prepared: bool,
    /// Schema by schema, in the catalogue's order.
    pub schemas: Vec<SchemaDrift>,
    /// What differs, sorted by object.
    pub differences: Vec<Drifted>,
    /// Wall time, milliseconds.
    pub duration_ms: u64,
}

/// The live fingerprints, and the one that the newest certificate promised.
#[derive(Debug, Clone)]
pub struct Fingerprints {
    /// Of all managed schemas together.
    pub live: Fingerprint,
    /// Of each schema that is there.
    pub schemas: BTreeMap<String, Fingerprint>,
    /// The live snapshot, for parts of it.
    snapshot: Snapshot,
    /// Of all together, as the rehearsal of the newest applied migration left them. `None` where nobody knows without a
    /// replay: it was applied without a certificate, or something was taken back or prepared after it.
    pub expected: Option<Fingerprint>,
}

impl Fingerprints {
    /// Whether live is what was promised; `None` where that is not known.
    pub fn agrees(&self) -> Option<bool> {
        self.expected.map(|expected| expected == self.live)
    }

    /// The live fingerprint of some of the schemas together.
    pub fn of(&self, schemas: &[String]) -> Fingerprint {
        self.snapshot.fingerprint_of(schemas)
    }
}

/// Compares; reads the target, changes nothing in it.
pub(crate) async fn drift(
    project: &Arc<Project>,
    target: &Target,
    scope: &Scope,
    context: &RunContext,
) -> Result<DriftReport, EngineError> {
    let begun = Instant::now();
    let schemas = schemas_of(project, scope)?;
    let live_conn = session::open(target, "profe db drift").await?;
    let state = store::read(&live_conn).await?;
    let live = snapshot(&live_conn, &managed(project)).await?;
    let replayed = Stage::replayed(project, target, &live_conn, context).await?;
    let expected = replayed.snapshot().await;
    replayed.strike().await?;
    let expected = expected?;
    let owner = |schema: &str| project.catalogue.owner_of(schema).map(|(name, _)| name.to_owned());
    let (before, after) = (expected.schema_fingerprints(), live.schema_fingerprints());
    let of_schema = |schema: &String| {
        let (expected, live) =
            (before.get(&Some(schema.as_str())).copied(), after.get(&Some(schema.as_str())).copied());
        let service = owner(schema).unwrap_or_default();
        SchemaDrift { schema: schema.clone(), service, expected, live, agrees: expected == live }
    };
    let differences = within(difference(&expected, &live), &schemas);
    Ok(DriftReport {
        environment: target.environment.clone(),
        expected: expected.fingerprint_of(&schemas),
        live: live.fingerprint_of(&schemas),
        agrees: differences.is_empty(),
        prepared: state.is_prepared_for(&project.catalogue),
        schemas: schemas.iter().map(of_schema).collect(),
        differences: differences
            .into_iter()
            .map(|difference| Drifted {
                service: difference.object.schema.as_deref().and_then(owner),
                words: difference.to_string(),
                difference,
            })
            .collect(),
        duration_ms: begun.elapsed().as_millis() as u64,
    })
}

/// What can be told without a replay.
pub(crate) async fn fingerprints(project: &Project, target: &Target) -> Result<Fingerprints, EngineError> {
    let conn = session::open(target, "profe fingerprints").await?;
    let live = snapshot(&conn, &managed(project)).await?;
    let schemas = live.schema_fingerprints().into_iter();
    Ok(Fingerprints {
        schemas: schemas.filter_map(|(name, print)| Some((name?.to_owned(), print))).collect(),
        live: live.fingerprint(),
        expected: promised(&conn, project).await?,
        snapshot: live,
    })
}

/// What the certificate of the newest applied migration says that it left, where nothing came after it: no rollback, no
/// catalogue that the target was prepared with.
async fn promised(conn: &AdminConn, project: &Project) -> Result<Option<Fingerprint>, EngineError> {
    let state = store::read(conn).await?;
    if state.catalogue.as_deref() != Some(prepare::fingerprint(&project.catalogue).as_str()) {
        return Ok(None);
    }
    let query = "SELECT h.schema_name, h.version, h.file_hash FROM migration_service.history h \
                 WHERE h.rolled_back_at IS NULL \
                   AND NOT EXISTS (SELECT FROM migration_service.history b WHERE b.rolled_back_at > h.applied_at) \
                   AND NOT EXISTS (SELECT FROM migration_service.meta m \
                                    WHERE m.key = 'prepared_at' AND m.value::numeric > extract(epoch FROM h.applied_at)) \
                 ORDER BY h.id DESC LIMIT 1";
    let outcome = conn.batch(query).await.map_err(|e| own_statement(&e, "reading the history"))?;
    let Some(row) = outcome.statements.into_iter().flat_map(|s| s.rows).next() else { return Ok(None) };
    let [schema, version, file_hash] = store::cells(row)?;
    let certificates = certificate::read(conn).await?;
    let certificate = certificates.get(&store::migration_id(schema, &version)?);
    Ok(certificate.filter(|c| c.up_hash == file_hash).map(|c| c.after))
}

fn schemas_of(project: &Project, scope: &Scope) -> Result<Vec<String>, EngineError> {
    match scope {
        Scope::Service(name) => Ok(project.catalogue.service(name)?.schemas.clone()),
        Scope::All => Ok(project.catalogue.services.values().flat_map(|s| s.schemas.iter().cloned()).collect()),
    }
}

/// Those that lie in these schemas.
fn within(mut differences: Vec<Difference>, schemas: &[String]) -> Vec<Difference> {
    differences.retain(|d| d.object.schema.as_ref().is_some_and(|schema| schemas.contains(schema)));
    differences
}
