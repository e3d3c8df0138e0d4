//! The order in which the files are proven. A tool may have applied a migration after newer ones: then it is the order of its
//! history that made the live schema. A fresh database is migrated by version, so both are tried where they are not one.

use std::time::Duration;

use postgres_link::AdminConn;
use schema_catalog::difference;
use serde::Serialize;

use super::record::{record, within};
use super::theirs::Theirs;
use super::{AdoptionReport, Subject, elsewhere};
use crate::engine::Target;
use crate::error::{EngineError, ErrorCode};
use crate::migration::MigrationId;
use crate::proof::adoption::{Replayed, fresh_differs, fresh_fails};
use crate::proof::report::Finding;
use crate::request::RunContext;
use crate::target::store::State;

/// So many differences and late migrations are told by name.
const TOLD: usize = 6;

/// In which order migrations are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// By version.
    Version,
    /// As the tool's history has it, which is another.
    History,
}

impl Order {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::History => "history",
        }
    }
}

/// What an adoption is done with.
pub(super) struct Work<'a> {
    pub conn: &'a AdminConn,
    pub subject: &'a Subject<'a>,
    pub target: &'a Target,
    pub state: &'a State,
    pub theirs: &'a Theirs,
    pub context: &'a RunContext,
}

/// The files run in one order: what they make, or why they cannot.
type Tried = Result<Replayed, EngineError>;

impl Work<'_> {
    /// Proves what `report` says is adopted, and records it in the order in which it is true.
    pub(super) async fn prove_and_record(&self, report: &mut AdoptionReport) -> Result<(), EngineError> {
        let as_applied: Vec<MigrationId> = report.adopted.iter().map(|one| one.migration.clone()).collect();
        let mut by_version = as_applied.clone();
        by_version.sort();
        elsewhere::refuse(self.subject, &by_version)?;
        if as_applied == by_version {
            let replayed = self.replay(&by_version).await?;
            let recorded = self.with_retries(report, &replayed).await;
            replayed.strike().await?;
            return recorded;
        }
        let as_applied = self.tried(&as_applied).await?;
        let by_version = match self.tried(&by_version).await {
            Ok(tried) => tried,
            Err(error) => {
                strike(as_applied).await?;
                return Err(error);
            }
        };
        let recorded = self.in_either_order(report, &as_applied, &by_version).await;
        strike(as_applied).await?;
        strike(by_version).await?;
        recorded
    }

    async fn in_either_order(
        &self,
        report: &mut AdoptionReport,
        as_applied: &Tried,
        by_version: &Tried,
    ) -> Result<(), EngineError> {
        let first = match as_applied {
            Ok(replayed) => {
                report.order = Order::History;
                report.findings = self.fresh(report, replayed, by_version).into_iter().collect();
                match self.with_retries(report, replayed).await {
                    Err(error) if error.code == ErrorCode::SchemaDiffers => error,
                    other => return other,
                }
            }
            Err(error) => error.clone(),
        };
        // The times of a history that was put together later say nothing.
        let Ok(replayed) = by_version else { return Err(self.told_of(first)) };
        report.order = Order::Version;
        report.findings.clear();
        report.adopted.sort_by(|one, other| one.migration.cmp(&other.migration));
        match self.with_retries(report, replayed).await {
            // The nearer one is told.
            Err(error) if error.code == ErrorCode::SchemaDiffers && as_applied.is_ok() => {
                let is_nearer = error.findings.len() < first.findings.len();
                Err(if is_nearer { error } else { self.told_of(first) })
            }
            other => other,
        }
    }

    fn told_of(&self, mut error: EngineError) -> EngineError {
        error.message = format!("{}, run in the order in which {} has applied them", error.message, self.tool());
        error
    }

    fn tool(&self) -> &'static str {
        self.subject.folder.layout.as_str()
    }

    /// What becomes of a fresh database, where that is not the same.
    fn fresh(&self, report: &AdoptionReport, replayed: &Replayed, by_version: &Tried) -> Option<Finding> {
        let tool = self.tool();
        let late = format!("{tool} applied {}", late(report));
        let table = self.theirs.table.as_deref().unwrap_or_default();
        let cure = format!(
            "where fresh databases matter, give what came late a version that says so, in its file's name and in {table}, and adopt it then \
             (--dry-run shows this and writes nothing); this database is taken as it is"
        );
        let made = match by_version {
            Ok(made) => made,
            Err(error) => return Some(fresh_fails(&late, error, cure)),
        };
        let differences = within(difference(&made.snapshot, &replayed.snapshot), self.subject);
        let told: Vec<String> = differences.iter().take(TOLD).map(|one| format!("by version → live: {one}")).collect();
        let count = differences.len();
        (count > 0).then(|| fresh_differs(&late, count, &told, cure))
    }

    /// Runs the files in this order; that they cannot be run is an answer, too.
    async fn tried(&self, order: &[MigrationId]) -> Result<Tried, EngineError> {
        match self.replay(order).await {
            Err(error) if error.code != ErrorCode::NotAdoptable => Err(error),
            tried => Ok(tried),
        }
    }

    async fn replay(&self, order: &[MigrationId]) -> Tried {
        Box::pin(Replayed::make(self.subject.project, self.target, self.conn, order, self.context)).await
    }

    /// Locks that do not come in time are asked for again, as a run does; each time it is the whole transaction.
    async fn with_retries(&self, report: &mut AdoptionReport, replayed: &Replayed) -> Result<(), EngineError> {
        let Self { conn, subject, state, theirs, context, .. } = *self;
        let run = &subject.project.catalogue.run;
        let mut attempt = 1;
        loop {
            let tried = record(conn, subject, state, theirs, report, replayed, context).await;
            let Err(error) = tried else { return Ok(()) };
            if !conn.is_closed() {
                let _ = conn.batch("ROLLBACK").await;
            }
            if error.code != ErrorCode::LockTimeout || attempt >= run.lock_attempts || context.cancel.is_cancelled() {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(run.delay_after_ms(attempt))).await;
            attempt += 1;
        }
    }
}

async fn strike(tried: Tried) -> Result<(), EngineError> {
    match tried {
        Ok(replayed) => replayed.strike().await,
        Err(_) => Ok(()),
    }
}

/// Those that came after a newer one: `2 after 3`.
fn late(report: &AdoptionReport) -> String {
    let mut newest = None;
    let mut late = Vec::new();
    for one in &report.adopted {
        match newest {
            Some((version, theirs)) if version > one.migration.version => {
                late.push(format!("{} after {theirs}", one.theirs));
            }
            _ => newest = Some((one.migration.version, &one.theirs)),
        }
    }
    let more = late.len().saturating_sub(TOLD);
    late.truncate(TOLD);
    late.join(", ") + &if more > 0 { format!(" and {more} more such") } else { String::new() }
}
