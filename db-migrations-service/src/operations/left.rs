//! What is said of runs whose processes died: what they did, and what to do now; and what they left on the servers.

use backup_vault::InPlace;
use migration_engine::request::HistoryFilter;
use migration_engine::{RUN_LOCK, Target, WORK_LOCK, audit};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{OperationError, Operations, RunKind};
use crate::master::takeover::UntoldRun;

/// Only one that runs statement by statement can be.
const HALF: &str = "and one that was in the middle has the state interrupted";

/// What one run can have done, as far as it is read from a history.
const MANY: usize = 100_000;

impl Operations {
    /// Writes down what runs did whose processes died: of migrations the target's history knows it exactly.
    pub(super) async fn tell_of_left_runs(&self) -> Result<(), OperationError> {
        for run in self.master().untold_runs().await? {
            let done = match self.done_by(&run).await {
                Ok(Some(done)) => done,
                _ if run.has_waited => run.done.clone(),
                _ => continue,
            };
            self.master().tell_of_left_run(run.id, &account(&run, &done)).await?;
        }
        Ok(())
    }

    /// The migrations that a run has applied or taken back, in order; `None` while its last statement may still commit.
    async fn done_by(&self, run: &UntoldRun) -> Result<Option<Vec<String>>, OperationError> {
        let goes_back = match run.kind {
            RunKind::Run if !run.dry_run => false,
            RunKind::Rollback if !run.dry_run => true,
            _ => return Ok(Some(Vec::new())),
        };
        let environment = Some(run.environment.as_str());
        let sessions = format!(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'profe % {} by %'",
            migration_engine::short_run_id(run.id)
        );
        if !self.inspect(environment).await?.rows(&sessions).await?.is_empty() {
            return Ok(None);
        }
        let filter = HistoryFilter { run_id: Some(run.id), limit: MANY, ..HistoryFilter::default() };
        let mut rows = self.engine(environment)?.history(&filter).await?;
        rows.retain(|row| goes_back == (row.rollback_run_id == Some(run.id)));
        if !goes_back {
            rows.reverse();
        }
        Ok(Some(rows.iter().map(|row| row.migration.to_string()).collect()))
    }

    /// Drops what rehearsals, verifications and restores of processes that are gone have left on the targets' servers.
    pub async fn sweep_servers(&self) {
        for target in self.targets().all().iter().filter_map(|entry| entry.target.as_ref().ok()) {
            let rehearsals = migration_engine::scratch::sweep(&target.connect).await.map(drop);
            if let Err(error) = rehearsals {
                tracing::debug!(environment = target.environment, %error, "databases of rehearsals could not be looked for");
                continue;
            }
            if let Err(error) = backup_vault::sweep_databases(&target.connect).await {
                tracing::debug!(environment = target.environment, %error, "databases of restores could not be looked for");
                continue;
            }
            if let Err(error) = backup_vault::sweep_schemas(&live(target)).await {
                tracing::debug!(environment = target.environment, %error, "schemas that restores left could not be dropped");
            }
        }
    }
}

/// The live database, for work of the service that changes nothing of anybody's.
fn live(target: &Target) -> InPlace {
    InPlace {
        marker: Some(audit::told_by_caller(Uuid::now_v7())),
        ..InPlace::new(target.connect.clone(), RUN_LOCK, WORK_LOCK)
    }
}

/// What is shown of such a run as its report.
fn account(run: &UntoldRun, done: &[String]) -> Value {
    let UntoldRun { kind, held_by, .. } = run;
    let did = match (kind, done.len()) {
        _ if run.dry_run => "nothing of a dry run stays".to_owned(),
        (RunKind::Seed | RunKind::SeedReset, _) => "each of its files is done or not begun".to_owned(),
        (_, 0) => format!("none of its migrations is done, {HALF}"),
        (_, 1) => format!("1 of its migrations is done, {HALF}"),
        (_, many) => format!("{many} of its migrations are done, {HALF}"),
    };
    let cure = match kind {
        _ if run.goes_on => {
            "wait: another copy of the service goes on with it, and continuedBy names that run; where none has after a quarter of an hour, \
             ask for it again"
        }
        _ if run.dry_run => "ask for it again",
        RunKind::Run => "run again: it goes on where this one ended",
        RunKind::Rollback => "look at the plan of what is left (dryRun), and ask for that",
        RunKind::Seed => "run the seeds again",
        RunKind::SeedReset => "reset again: tables may be empty, or have a part of their seeds",
    };
    let message = format!("the process that did it is gone ({held_by}); {did}");
    let mut report =
        json!({ "runId": run.id, "done": done, "error": { "code": "interrupted", "message": message, "cure": cure } });
    if !done.is_empty() {
        // Something of it stands, so that there is a way back to offer.
        report["outcome"] = json!("interrupted");
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: RunKind, dry_run: bool, goes_on: bool, done: &[&str]) -> String {
        let run = UntoldRun {
            id: Uuid::nil(),
            kind,
            environment: "lab".to_owned(),
            dry_run,
            goes_on,
            held_by: "here, process 7".to_owned(),
            has_waited: false,
            done: Vec::new(),
        };
        let done: Vec<String> = done.iter().map(|id| (*id).to_owned()).collect();
        let report = account(&run, &done);
        let text = |member: &str| report["error"][member].as_str().unwrap_or_default().to_owned();
        format!("{} → {}", text("message"), text("cure"))
    }

    #[test]
    fn each_says_what_it_did_and_what_to_do() {
        let gone = "the process that did it is gone (here, process 7)";
        let run = told(RunKind::Run, false, false, &["a/1", "a/2"]);
        let expected = format!("2 of its migrations are done, {HALF} → run again: it goes on where this one ended");
        assert_eq!(run, format!("{gone}; {expected}"));
        assert!(
            told(RunKind::Run, false, true, &[]).contains(&format!("none of its migrations is done, {HALF} → wait"))
        );
        assert!(told(RunKind::Rollback, false, false, &["a/2"]).contains("1 of its migrations is done"));
        assert!(told(RunKind::Run, true, false, &[]).ends_with("nothing of a dry run stays → ask for it again"));
        assert!(told(RunKind::SeedReset, false, false, &[]).contains("reset again: tables may be empty"));
    }
}
