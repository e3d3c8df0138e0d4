//! Rehearsing on rows: a database that the caller has filled from a backup, brought to where the target stands.
//!
//! How it was filled is the caller's business, and so is dropping it. Here it is looked at as any database: what the
//! target's history has and it has not is applied to it, and then it must have the target's schema.

use std::sync::Arc;

use postgres_link::AdminConn;
use schema_catalog::difference;
use serde::{Deserialize, Serialize};

use super::rehearsal::managed;
use super::rehearse::snapshot;
use super::report::Finding;
use super::stage::{Stage, history};
use crate::engine::Target;
use crate::error::{EngineError, ErrorCode};
use crate::project::Project;
use crate::request::RunContext;
use crate::target::prepare;
use crate::target::session::own_statement;
use crate::target::store::{self, State};

/// A database on the target's server that holds the rows of a backup of the target.
#[derive(Debug, Clone)]
pub struct Filled {
    /// Its name.
    pub database: String,
    /// Where its rows are from.
    pub source: DataSource,
}

/// Where the rows of a rehearsal are from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataSource {
    /// The backup's name.
    pub backup: String,
    /// When the rows were so, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    pub taken_at: time::OffsetDateTime,
    /// How many there are.
    pub rows: u64,
    /// The backup had been verified before.
    pub verified: bool,
}

impl Stage {
    /// Enters `filled` and brings it to where `live` stands.
    pub(super) async fn filled(
        project: &Arc<Project>,
        target: &Target,
        filled: &Filled,
        live: &AdminConn,
        context: &RunContext,
    ) -> Result<Self, EngineError> {
        let stage = Self::lent(project, target, &filled.database, context).await?;
        match stage.catch_up(live, &filled.source).await {
            Ok(()) => Ok(stage),
            Err(error) => stage.give_up(error).await,
        }
    }

    async fn catch_up(&self, live: &AdminConn, source: &DataSource) -> Result<(), EngineError> {
        let (here, there) = (store::read(self.conn()).await?, store::read(live).await?);
        if let Some(id) = here.applied.keys().filter(|id| !there.applied.contains_key(*id)).min() {
            return Err(outdated(source, &format!("{id} is applied in it, and was taken back since")));
        }
        let catalogue = Some(prepare::fingerprint(&self.project.catalogue));
        let is_prepared = there.catalogue == catalogue;
        // What was applied since may need what the catalogue has become since.
        if is_prepared && here.catalogue != catalogue {
            self.prepare(&here).await?;
        }
        let walker = self.walker();
        for applied in history(live, &self.project).await?.iter().filter(|it| !here.applied.contains_key(&it.id)) {
            walker.replay(applied).await.map_err(|error| not_applied(*error, source))?;
        }
        let differences = difference(&self.snapshot().await?, &snapshot(live, &managed(&self.project)).await?);
        if let Some((first, more)) = differences.split_first() {
            let more = if more.is_empty() { String::new() } else { format!(" (and {} more)", more.len()) };
            return Err(outdated(source, &format!("the live schema has moved on otherwise: {first}{more}")));
        }
        // As a run does it first.
        if !is_prepared {
            self.prepare(&here).await?;
        }
        // What was restored has no statistics, and without them the server plans otherwise than on the target.
        self.conn().batch("ANALYZE").await.map_err(|error| own_statement(&error, "analyzing the backup's rows"))?;
        Ok(())
    }

    async fn prepare(&self, here: &State) -> Result<(), EngineError> {
        let prepared_before = here.catalogue.is_some();
        prepare::prepare(self.conn(), &self.project.catalogue, here.installed, prepared_before, self.stop()).await
    }
}

fn not_applied(error: EngineError, source: &DataSource) -> EngineError {
    if error.code == ErrorCode::RehearsalTimeout {
        return error;
    }
    let mut told =
        outdated(source, &format!("what was applied since cannot be applied to its rows: {}", error.message));
    told.migration = error.migration;
    told.location = error.location;
    told
}

fn outdated(source: &DataSource, why: &str) -> EngineError {
    let message = format!("the rehearsal needs a newer backup than {}: {why}", source.backup);
    EngineError::new(ErrorCode::BackupOutdated, message).cure("make one with `profe backup create`, and validate again")
}

/// Says of a failure that the rows are its reason, and what to do about them. Which rows stands in the server's detail,
/// which is left out: who may rehearse may not always read.
pub(super) fn tell_of_rows(finding: &mut Finding, failure: &EngineError, source: &DataSource) {
    let Some(sql) = failure.sql.as_ref().filter(|sql| matches!(sql.sqlstate_class(), "22" | "23")) else { return };
    let cure = match sql.sqlstate.as_str() {
        "23502" => "give those rows a value first, in a migration before it, or the column a default",
        "23503" => "add the rows that are missing first, or add the constraint NOT VALID and validate it later",
        "23505" | "23P01" => "make those rows distinct first, in a migration before it",
        "23514" => "bring those rows in line first, or add the constraint NOT VALID and validate it later",
        _ => "bring those rows in line first, in a migration before it",
    };
    "existing-rows".clone_into(&mut finding.code);
    finding.message = format!("{} (on the rows of backup {})", finding.message, source.backup);
    finding.cure = Some(cure.to_owned());
}
