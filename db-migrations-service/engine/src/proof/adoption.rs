//! Whether another tool's files make the live schema: they are run on a scratch database, after what the target's own
//! history has.

use std::sync::Arc;

use postgres_link::AdminConn;
use schema_catalog::{Scope as Schemas, Snapshot};

use super::rehearsal;
use super::rehearse::snapshot;
use super::report::{Finding, Gate, Severity};
use super::stage::Stage;
use super::subject::Subject;
use crate::engine::Target;
use crate::error::{EngineError, ErrorCode};
use crate::migration::MigrationId;
use crate::project::Project;
use crate::request::RunContext;

/// What a refusal begins with whose reason follows.
const NOT_APPLIED: &str = "the files cannot be applied to an empty database: ";

/// The schemas that the project manages.
pub(crate) fn managed(project: &Project) -> Schemas {
    rehearsal::managed(project)
}

/// One difference, as a finding; `words` say from what to what.
pub(crate) fn differs(words: String) -> Finding {
    Finding::new(Gate::Rehearsed, "drift", Severity::Error, words)
}

/// A fresh database, which is migrated by version, is another than the live one.
pub(crate) fn fresh_differs(late: &str, count: usize, told: &[String], cure: String) -> Finding {
    let what = if count == 1 { "1 difference".to_owned() } else { format!("{count} differences") };
    let more = if count > told.len() { "; …" } else { "" };
    let words = format!(
        "{late}, which matters: a fresh database is migrated by version and gets another schema, {what}: {}{more}",
        told.join("; ")
    );
    Finding::new(Gate::Rehearsed, "order-matters", Severity::Warning, words).cure(cure)
}

/// By version the files cannot be run at all.
pub(crate) fn fresh_fails(late: &str, error: &EngineError, cure: String) -> Finding {
    let why = error.message.strip_prefix(NOT_APPLIED).unwrap_or(&error.message);
    let words = format!("{late}, which matters: a fresh database is migrated by version, and that fails: {why}");
    let mut finding = Finding::new(Gate::Rehearsed, "order-matters", Severity::Warning, words).cure(cure);
    finding.location.clone_from(&error.location);
    finding.migration.clone_from(&error.migration);
    finding
}

/// The scratch database; whoever makes one strikes it, whatever came out.
pub(crate) struct Replayed {
    stage: Stage,
    /// What the files make.
    pub snapshot: Snapshot,
}

impl Replayed {
    /// Runs what was applied on `live` and then `ids`, as their files are.
    pub(crate) async fn make(
        project: &Arc<Project>,
        target: &Target,
        live: &AdminConn,
        ids: &[MigrationId],
        context: &RunContext,
    ) -> Result<Self, EngineError> {
        let (subjects, unreadable) = Subject::read_all(project, ids);
        if let Some(first) = unreadable.first() {
            let mut error = EngineError::new(ErrorCode::NotAdoptable, first.message.clone())
                .cure("the engine runs what PostgreSQL's grammar accepts, in a transaction of its own; change the file with its tool first");
            error.location.clone_from(&first.location);
            error.migration.clone_from(&first.migration);
            error.findings = unreadable;
            return Err(error);
        }
        let stage = Stage::replayed(project, target, live, context).await?;
        let made = async {
            let walker = stage.walker();
            for subject in &subjects {
                let owner = project.catalogue.service(&subject.service)?.owner_role().unwrap_or_default();
                walker.replay(&subject.walked(&owner)).await.map_err(|error| not_applied(*error))?;
            }
            snapshot(stage.conn(), &rehearsal::managed(project)).await
        };
        match made.await {
            Ok(snapshot) => Ok(Self { stage, snapshot }),
            Err(error) => stage.give_up(error).await,
        }
    }

    /// A session on it.
    pub(crate) fn conn(&self) -> &AdminConn {
        self.stage.conn()
    }

    pub(crate) async fn strike(self) -> Result<(), EngineError> {
        self.stage.strike().await
    }
}

fn not_applied(error: EngineError) -> EngineError {
    let mut told = EngineError::new(ErrorCode::NotAdoptable, format!("{NOT_APPLIED}{}", error.message));
    // What is right for a run is not for this: nothing is to be corrected that the tool has applied.
    let own = error.cure.filter(|_| error.code != ErrorCode::MigrationFailed);
    told.cure = Some(own.unwrap_or_else(|| {
        "see that the folder is complete and begins at the beginning; a service whose tables it references is adopted \
         first, and what it finds in the database besides belongs into a migration before it"
            .to_owned()
    }));
    (told.migration, told.location, told.sql) = (error.migration, error.location, error.sql);
    told
}
