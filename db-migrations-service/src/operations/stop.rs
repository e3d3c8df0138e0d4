//! How work is stopped: by somebody, wherever it is done; and by the end of the process, so that others go on with it.

use std::time::Duration;

use futures_util::future::join_all;
use uuid::Uuid;

use super::error::{OperationError, RefusalCode};
use super::{BackupHandle, Caller, FleetHandle, Operations, RunHandle, RunRecord, RunState};

impl Operations {
    /// Stops a run. One of another process is stopped within some seconds, when that looks whether it is asked to.
    ///
    /// # Errors
    /// No such run, or one that is over.
    pub async fn cancel_run(&self, id: Uuid, caller: &Caller) -> Result<RunRecord, OperationError> {
        let record = self.run(id, caller).await?;
        caller.check(record.service.as_deref())?;
        if record.state != RunState::Running {
            return Err(over(id, record.state));
        }
        let Some(run) = self.0.live.get(id) else {
            if self.0.master.ask_to_cancel(id).await? {
                return Ok(record);
            }
            return Err(over(id, self.run(id, caller).await?.state));
        };
        run.cancel();
        Ok(run.record())
    }

    /// Ends whatever this process does, and waits until that is written down: for an orderly end of the process. Runs over fleets are
    /// handed over at once, database by database. Everything else has `grace` to end by itself; then what is in hand is taken
    /// back, and another copy goes on with what can be gone on with.
    pub async fn stop_all(&self, grace: Duration) {
        let (runs, backups, fleets) = (self.0.live.all(), self.0.backup_jobs.all(), self.0.fleets.all());
        fleets.iter().for_each(FleetHandle::hand_over);
        let under_way = runs.iter().filter(|run| run.end().is_none()).count();
        let jobs = backups.iter().filter(|job| !job.is_over()).count();
        if under_way + jobs > 0 && !grace.is_zero() {
            tracing::info!(runs = under_way, backups = jobs, ?grace, "work is under way and has some time to end");
        }
        let all_ended = || async {
            join_all(runs.iter().map(RunHandle::finished)).await;
            for backup in &backups {
                // How it ended is told to whoever asked for it.
                let _ = backup.finished().await;
            }
        };
        if tokio::time::timeout(grace, all_ended()).await.is_err() {
            // Runs first: one that waits for its backup is handed over, too, and does not fail for it.
            runs.iter().for_each(RunHandle::hand_over);
            backups.iter().for_each(BackupHandle::hand_over);
            all_ended().await;
        }
        for fleet in fleets {
            fleet.finished().await;
        }
    }
}

fn over(id: Uuid, state: RunState) -> OperationError {
    let message = format!("the run {id} is over: {}", state.as_str());
    OperationError::refuse(RefusalCode::RunIsOver, message).with_cure("look at the run itself for what it did")
}
