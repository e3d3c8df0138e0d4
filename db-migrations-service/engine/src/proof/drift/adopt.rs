//! Drift as a migration that others get too, or as the SQL that undoes it. Both are tried on throwaway databases
//! before anybody sees them.

use std::sync::Arc;

use postgres_link::AdminConn;
use schema_catalog::{Scope as Schemas, Snapshot};
use serde::Serialize;

use super::approach::{Approach, As, approach, is_of_ownership};
use super::schemas_of;
use crate::audit;
use crate::engine::Target;
use crate::error::{EngineError, ErrorCode};
use crate::migration::MigrationId;
use crate::project::{Project, Script};
use crate::proof::rehearsal::managed;
use crate::proof::rehearse::snapshot;
use crate::proof::stage::Stage;
use crate::request::{RunContext, Scope};
use crate::target::session::{self, own_statement};
use crate::target::{lock, store};

/// The SQL that undoes drift.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Undoing {
    /// Statements for somebody who may do everything, in order.
    pub statements: Vec<String>,
    /// What they do not undo, in words: expected → live.
    pub not_exact: Vec<String>,
}

/// A migration that makes elsewhere what drift made here.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Adoption {
    /// The way there, as the service's owner role.
    pub up: Vec<String>,
    /// The way back.
    pub down: Vec<String>,
    /// What has to change here, because the hand that made the drift was not the owner role's: owners and grants.
    pub align: Vec<String>,
    /// What a migration cannot make exactly, in words: expected → live. Where there is any, nothing can be adopted.
    pub not_exact: Vec<String>,
    /// What the way back does not restore, in words.
    pub not_restored: Vec<String>,
}

/// The SQL that brings the live schemas back to what their history makes.
pub(crate) async fn undo(
    project: &Arc<Project>,
    target: &Target,
    scope: &Scope,
    context: &RunContext,
) -> Result<Undoing, EngineError> {
    let schemas = schemas_of(project, scope)?;
    let trial = Trial::make(project, target, context).await?;
    let undone = trial.undo(&schemas).await;
    trial.strike().await?;
    undone
}

/// The migration that makes of the expected `schema` the live one. Nothing is changed.
pub(crate) async fn propose(
    project: &Arc<Project>,
    target: &Target,
    schema: &str,
    context: &RunContext,
) -> Result<Adoption, EngineError> {
    let owner = project.catalogue.owner_of(schema).and_then(|(_, service)| service.owner_role()).ok_or_else(|| {
        EngineError::new(ErrorCode::UnknownService, format!("no service of the catalogue owns a schema {schema:?}"))
            .cure("name a schema of config/services.toml")
    })?;
    let trial = Trial::make(project, target, context).await?;
    let proposed = trial.propose(&[schema.to_owned()], &owner).await;
    trial.strike().await?;
    proposed
}

/// What drift is tried away on.
struct Trial {
    managed: Schemas,
    live_conn: AdminConn,
    live: Snapshot,
    /// As the history makes it; it stays so.
    reference: Stage,
    /// Begins as the same.
    copy: Stage,
}

impl Trial {
    async fn make(project: &Arc<Project>, target: &Target, context: &RunContext) -> Result<Self, EngineError> {
        let managed = managed(project);
        let live_conn = session::open(target, "profe db drift").await?;
        let live = snapshot(&live_conn, &managed).await?;
        let replayed = Stage::replayed(project, target, &live_conn, context).await?;
        let (reference, copy) = replayed.doubled(target).await?;
        Ok(Self { managed, live_conn, live, reference, copy })
    }

    async fn undo(&self, schemas: &[String]) -> Result<Undoing, EngineError> {
        let expected = self.reference.snapshot().await?;
        let there = self.approach((&self.live, &self.live_conn), schemas, As::Operator).await?;
        let back = self.approach((&expected, self.reference.conn()), schemas, As::Operator).await?;
        let not_exact = words(&there).chain(words(&back)).collect();
        Ok(Undoing { statements: back.statements, not_exact })
    }

    async fn propose(&self, schemas: &[String], owner: &str) -> Result<Adoption, EngineError> {
        let expected = self.reference.snapshot().await?;
        let up = self.approach((&self.live, &self.live_conn), schemas, As::Owner(owner)).await?;
        let made = self.copy.snapshot().await?;
        let align = align(&self.live, (&made, self.copy.conn()), &up).await?;
        let down = self.approach((&expected, self.reference.conn()), schemas, As::Owner(owner)).await?;
        let not_exact = up.left.iter().filter(|left| !is_of_rights(left)).map(ToString::to_string).collect();
        Ok(Adoption {
            not_restored: words(&down).collect(),
            up: up.statements,
            down: down.statements,
            align,
            not_exact,
        })
    }

    async fn approach(
        &self,
        to: (&Snapshot, &AdminConn),
        schemas: &[String],
        rights: As<'_>,
    ) -> Result<Approach, EngineError> {
        approach(self.copy.conn(), &self.managed, to, schemas, rights).await
    }

    async fn strike(self) -> Result<(), EngineError> {
        let copy = self.copy.strike().await;
        self.reference.strike().await?;
        copy
    }
}

/// Records the migration, whose files stand in the project, as applied here: what it makes is here already.
pub(crate) async fn adopt(
    project: &Project,
    target: &Target,
    id: &MigrationId,
    align: &[String],
    context: &RunContext,
) -> Result<(), EngineError> {
    let migration = project.migration(id).ok_or_else(|| {
        EngineError::new(ErrorCode::UnknownMigration, format!("{id} has no file")).cure("write its two files first")
    })?;
    let (up_sql, down_sql) = (project.up_sql(migration)?, project.down_sql(migration)?);
    Script::parse(&migration.up, up_sql.clone(), &id.schema)?;
    Script::parse(&migration.down, down_sql.clone(), &id.schema)?;
    let name = lock::session_name("adopt", &context.actor, context.run_id);
    let guard = session::open(target, &name).await?;
    lock::acquire(&guard, context.wait_for_lock).await?;
    let conn = session::open(target, &name).await?;
    session::check_writable(&conn, target)?;
    lock::claim_work(&conn).await?;
    audit::begin(&conn, context.run_id).await;
    let record = store::insert(&store::NewRow {
        id,
        service: &migration.service,
        name: &migration.name,
        up_sql: &up_sql,
        down_sql: &down_sql,
        checksum: &sql_grammar::checksum(&up_sql),
        file_hash: &project.up_hash(migration, &up_sql)?,
        late: false,
        actor: &context.actor,
        run_id: context.run_id,
        duration_ms: Some(0),
    });
    let timeout = project.catalogue.run.lock_timeout_ms;
    let mut parts = vec!["BEGIN".to_owned(), format!("SET LOCAL lock_timeout = {timeout}")];
    parts.extend_from_slice(align);
    parts.extend([record, "COMMIT".to_owned()]);
    let done = conn.batch(&parts.join(";\n")).await.map_err(|e| own_statement(&e, "recording the adoption"));
    conn.close().await;
    guard.close().await;
    done.map(|_| ())
}

/// What makes the live owners and grants those that the migration makes.
async fn align(
    live: &Snapshot,
    (made, made_conn): (&Snapshot, &AdminConn),
    up: &Approach,
) -> Result<Vec<String>, EngineError> {
    let goal = super::statement::Goal::new(made_conn, made);
    let mut statements = Vec::new();
    let schemas: Vec<String> = up.left.iter().filter_map(|left| left.object.schema.clone()).collect();
    let mut differences = super::within(schema_catalog::difference(live, made), &schemas);
    // Whoever owns it then grants.
    differences.sort_by_key(|difference| difference.property != "owner");
    for difference in differences.iter().filter(|difference| is_of_rights(difference)) {
        statements.extend(super::statement::ways(difference, &goal).await?.into_iter().take(1));
    }
    Ok(statements)
}

/// The statements that make of these differences of owners and grants none, as `made` has them; owners come first, since
/// whoever owns it then grants, and tables before the sequences that go with them.
pub(crate) async fn rights(
    differences: &[schema_catalog::Difference],
    (made, made_conn): (&Snapshot, &AdminConn),
) -> Result<Vec<String>, EngineError> {
    let goal = super::statement::Goal::new(made_conn, made);
    let mut ordered: Vec<_> = differences.iter().collect();
    ordered.sort_by_key(|difference| difference.property != "owner");
    let mut statements = Vec::new();
    for difference in ordered {
        statements.extend(super::statement::ways(difference, &goal).await?.into_iter().take(1));
    }
    Ok(statements)
}

pub(crate) fn is_of_rights(difference: &schema_catalog::Difference) -> bool {
    is_of_ownership(difference) || difference.property.starts_with("grant ")
}

fn words(approach: &Approach) -> impl Iterator<Item = String> + '_ {
    approach.left.iter().map(ToString::to_string)
}
