//! Runs that come one after the other: what each waits for before it begins.
//!
//! All of them are prepared, and hold their locks, before the first begins: what can be refused is refused while nothing has
//! been done. Each then waits for its turn, and gives up when the one before it did not end well.

use migration_engine::event::{Event, Outcome};
use migration_engine::{EngineError, ErrorCode};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::events::EventLog;
use super::{OperationError, RunHandle, RunState};

/// A run's turn.
pub(super) struct Turn {
    /// All runs are launched; before that none begins.
    launched: CancellationToken,
    /// The one before it.
    before: Option<RunHandle>,
}

/// Gives runs their turns, in the order in which they are launched.
pub(super) struct Turns {
    launched: CancellationToken,
    runs: Vec<RunHandle>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { launched: CancellationToken::new(), runs: Vec::new() }
    }

    /// The turn of the next run: after the last one that has something to do.
    pub(super) fn next(&self) -> Turn {
        let works = |run: &&RunHandle| run.plan().is_none_or(|plan| !plan.is_empty());
        Turn { launched: self.launched.clone(), before: self.runs.iter().rev().find(works).cloned() }
    }

    /// Takes note of a run that was given its turn. Where it was not launched, those before it are called off.
    pub(super) fn launched(&mut self, run: Result<RunHandle, OperationError>) -> Result<(), OperationError> {
        match run {
            Ok(run) => {
                self.runs.push(run);
                Ok(())
            }
            Err(error) => {
                self.runs.iter().for_each(RunHandle::cancel);
                Err(error)
            }
        }
    }

    /// Lets the first one begin.
    pub(super) fn begin(self) -> Vec<RunHandle> {
        self.launched.cancel();
        self.runs
    }
}

impl Turn {
    /// The run before.
    pub(super) fn before(&self) -> Option<Uuid> {
        self.before.as_ref().map(RunHandle::id)
    }

    /// Waits for it. `lost` ends when what the run holds is lost.
    pub(super) async fn come(
        &self,
        lost: impl Future<Output = EngineError>,
        (log, cancel): (&EventLog, &CancellationToken),
    ) -> Result<(), Box<EngineError>> {
        let come = tokio::select! {
            come = self.is_here() => come,
            () = cancel.cancelled() => Err(called_off("it was cancelled before its turn".to_owned())),
            lost = lost => Err(lost),
        };
        come.map_err(|error| {
            let cancelled = error.code == ErrorCode::Cancelled;
            let outcome = if cancelled { Outcome::Cancelled } else { Outcome::Failed };
            log.push(Event::Finished { outcome, done: 0, duration_ms: 0 });
            Box::new(error)
        })
    }

    async fn is_here(&self) -> Result<(), EngineError> {
        self.launched.cancelled().await;
        let Some(before) = &self.before else { return Ok(()) };
        let record = before.finished().await;
        if record.state == RunState::Completed {
            return Ok(());
        }
        Err(called_off(format!(
            "it was not begun, because the run in {} ended as {}",
            record.environment,
            record.state.as_str()
        )))
    }
}

fn called_off(why: String) -> EngineError {
    EngineError::new(ErrorCode::Cancelled, why).cure("run again when that is mended; nothing was done here")
}
