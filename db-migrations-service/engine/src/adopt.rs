//! Taking over a database that another tool has migrated: its folder stays as it is and is run from now on, its history
//! is read once, and nothing is believed – the files are replayed, and must make the live schema.
//!
//! How it is built, and why: `docs/adr/0013-adoption.md`.

mod elsewhere;
mod guard;
mod order;
mod propose;
mod record;
mod theirs;

pub(crate) use guard::refuse_unadopted;
pub use propose::{Wanted, propose};

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use postgres_link::AdminConn;
use schema_catalog::Fingerprint;
use serde::Serialize;
use time::OffsetDateTime;

use crate::catalogue::{MigrationFolder, Service};
use crate::engine::Target;
use crate::error::{EngineError, ErrorCode};
use crate::migration::MigrationId;
use crate::project::{Migration, Project};
use crate::proof::report::Finding;
use crate::request::RunContext;
use crate::target::session::own_statement;
use crate::target::{lock, session, store};
use crate::{audit, compare};
pub use order::Order;
use theirs::Theirs;

/// What to adopt. The folder is the one that the project's catalogue names for the service.
#[derive(Debug, Clone)]
pub struct AdoptRequest {
    /// The service.
    pub service: String,
    /// Without a history table: everything up to this version of the folder counts as applied.
    pub baseline: Option<String>,
    /// Do all of it, and take it back.
    pub dry_run: bool,
}

/// One migration that the target's history takes over.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdoptedMigration {
    /// As it is called from now on.
    pub migration: MigrationId,
    /// As the tool calls it.
    pub theirs: String,
    /// Its intent.
    pub name: String,
    /// Its file.
    pub file: String,
    /// When the tool applied it; absent where it keeps no time.
    #[serde(with = "time::serde::rfc3339::option")]
    pub applied_at: Option<OffsetDateTime>,
    /// Who had it applied, as the history shows it.
    pub applied_by: String,
    /// The folder has a way back for it.
    pub reversible: bool,
}

/// What an adoption did, or, dry, would do.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdoptionReport {
    /// The environment.
    pub environment: String,
    /// The service.
    pub service: String,
    /// The schema that its migrations are named by.
    pub schema: String,
    /// The tool.
    pub layout: foreign_migrations::Layout,
    /// The folder, relative to the project.
    pub path: String,
    /// The tool's history table, `schema.table`; absent where a baseline stands for it.
    pub history_table: Option<String>,
    /// Nothing was written.
    pub dry_run: bool,
    /// In which order the files were proven to make the live schema, and are recorded.
    pub order: Order,
    /// What the history takes over, in that order.
    pub adopted: Vec<AdoptedMigration>,
    /// What it had taken over before.
    pub already: Vec<MigrationId>,
    /// What the tool's history has as applied, and was rolled back here since it was adopted.
    pub taken_back: Vec<MigrationId>,
    /// What the folder has beyond: the next run applies it.
    pub pending: Vec<MigrationId>,
    /// What makes owners and grants those of the catalogue, as it was run.
    pub aligned: Vec<String>,
    /// Of the service's schemas, live and as the files make them; absent where there was nothing to adopt.
    pub fingerprint: Option<Fingerprint>,
    /// What to know of it: that a fresh database, which is migrated by version, comes out otherwise.
    pub findings: Vec<Finding>,
    /// Wall time, milliseconds.
    pub duration_ms: u64,
}

/// What an adoption works on.
pub(crate) struct Subject<'a> {
    pub project: &'a Arc<Project>,
    pub service_name: &'a str,
    pub service: &'a Service,
    pub folder: &'a MigrationFolder,
    pub migrations: Vec<&'a Migration>,
}

impl<'a> Subject<'a> {
    fn find(project: &'a Arc<Project>, name: &'a str) -> Result<Self, EngineError> {
        let service = project.catalogue.service(name)?;
        let folder = service.migrations.as_ref().ok_or_else(|| {
            EngineError::new(ErrorCode::NotAdoptable, format!("the catalogue names no folder of another tool for {name}"))
                .cure(format!(
                    "add to config/services.toml: [services.{name}.migrations] with path = \"<folder>\" and layout = \"<tool>\""
                ))
        })?;
        let of_folder = |migration: &&Migration| migration.service == name && migration.foreign.is_some();
        let migrations: Vec<_> = project.migrations().iter().filter(of_folder).collect();
        if migrations.is_empty() {
            return Err(EngineError::new(
                ErrorCode::NotAdoptable,
                format!("{}/ holds no migration of {}", folder.path, folder.layout),
            )
            .cure("name the folder that holds the files themselves, and the tool whose they are"));
        }
        Ok(Self { project, service_name: name, service, folder, migrations })
    }

    fn report(&self, target: &Target, request: &AdoptRequest, theirs: &Theirs) -> AdoptionReport {
        AdoptionReport {
            environment: target.environment.clone(),
            service: self.service_name.to_owned(),
            schema: self.folder.schema(self.service).to_owned(),
            layout: self.folder.layout,
            path: self.folder.path.clone(),
            history_table: theirs.table.clone(),
            dry_run: request.dry_run,
            order: Order::Version,
            adopted: Vec::new(),
            already: Vec::new(),
            taken_back: Vec::new(),
            pending: Vec::new(),
            aligned: Vec::new(),
            fingerprint: None,
            findings: Vec::new(),
            duration_ms: 0,
        }
    }
}

pub(crate) async fn adopt(
    project: &Arc<Project>,
    target: &Target,
    request: &AdoptRequest,
    context: &RunContext,
) -> Result<AdoptionReport, EngineError> {
    let begun = Instant::now();
    let subject = Subject::find(project, &request.service)?;
    let name = lock::session_name("adopt", &context.actor, context.run_id);
    let guard = session::open(target, &name).await?;
    session::check_writable(&guard, target)?;
    lock::acquire(&guard, context.wait_for_lock).await?;
    let conn = session::open(target, &name).await?;
    lock::claim_work(&conn).await?;
    let state = store::read(&conn).await?;
    let theirs = Theirs::read(&conn, &subject, request.baseline.as_deref()).await?;
    let mut report = subject.report(target, request, &theirs);
    let taken_back = taken_back(&conn, state.installed).await?;
    for one in &theirs.applied {
        let migration = subject.migrations[one.index];
        if state.applied.contains_key(&migration.id) {
            report.already.push(migration.id.clone());
        } else if taken_back.contains(&migration.id) {
            report.taken_back.push(migration.id.clone());
        } else {
            report.adopted.push(adopted(&subject, migration, one, &context.actor)?);
        }
    }
    let theirs_all: BTreeSet<usize> = theirs.applied.iter().map(|one| one.index).collect();
    let beyond = subject.migrations.iter().enumerate().filter(|(at, _)| !theirs_all.contains(at));
    report.pending = beyond.map(|(_, m)| m.id.clone()).filter(|id| !state.applied.contains_key(id)).collect();
    if !report.adopted.is_empty() {
        let work = order::Work { conn: &conn, subject: &subject, target, state: &state, theirs: &theirs, context };
        work.prove_and_record(&mut report).await?;
        if !report.dry_run {
            audit::try_seal(&conn).await;
        }
    }
    conn.close().await;
    guard.close().await;
    report.duration_ms = begun.elapsed().as_millis() as u64;
    Ok(report)
}

fn adopted(
    subject: &Subject<'_>,
    migration: &Migration,
    one: &foreign_migrations::Applied,
    actor: &str,
) -> Result<AdoptedMigration, EngineError> {
    let foreign = migration.foreign.as_ref();
    let layout = subject.folder.layout;
    let down = subject.project.down_sql(migration)?;
    Ok(AdoptedMigration {
        migration: migration.id.clone(),
        theirs: foreign.map(|foreign| foreign.found.theirs.clone()).unwrap_or_default(),
        name: migration.name.clone(),
        file: migration.up.clone(),
        applied_at: one.at_us.and_then(compare::time_of),
        applied_by: match (&one.by, one.at_us) {
            (Some(by), _) => format!("{by} ({layout})"),
            (None, Some(_)) => layout.to_string(),
            (None, None) => format!("{layout}, adopted by {actor}"),
        },
        reversible: !down.trim_start().starts_with("-- irreversible:"),
    })
}

/// What was rolled back here and is not applied again.
async fn taken_back(conn: &AdminConn, installed: bool) -> Result<BTreeSet<MigrationId>, EngineError> {
    if !installed {
        return Ok(BTreeSet::new());
    }
    let query = "SELECT DISTINCT schema_name, version FROM migration_service.history WHERE rolled_back_at IS NOT NULL";
    let outcome = conn.batch(query).await.map_err(|e| own_statement(&e, "reading the history"))?;
    let rows = outcome.statements.into_iter().flat_map(|statement| statement.rows);
    rows.map(|row| {
        let [schema, version] = store::cells(row)?;
        store::migration_id(schema, &version)
    })
    .collect()
}
