//! Looking runs up: those under way from memory, the others from the master database.

use migration_engine::{EngineError, ErrorCode};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{Caller, EventLine, Follower, OperationError, Operations, RefusalCode, RunFilter, RunHandle, RunRecord};

/// How many events are read from the master database at a time.
const PAGE: i64 = 1000;

/// A run's events, wherever they are.
pub struct RunEvents {
    operations: Operations,
    id: Uuid,
    after: u64,
    live: Option<Follower>,
}

impl RunEvents {
    /// The next events in order, waiting where the run is under way; `None` when there will be no more.
    ///
    /// # Errors
    /// When older events have to be read and the master database is away.
    pub async fn next(&mut self) -> Result<Option<Vec<EventLine>>, OperationError> {
        if self.live.as_ref().is_none_or(|follower| follower.gap().is_some()) {
            let lines = self.operations.master().run_events(self.id, self.after, PAGE).await?;
            if let Some(last) = lines.last() {
                self.after = last.seq;
                if let Some(follower) = &mut self.live {
                    follower.skip_to(last.seq);
                }
                return Ok(Some(lines));
            }
        }
        let Some(follower) = &mut self.live else { return Ok(None) };
        let Some(events) = follower.next().await else { return Ok(None) };
        let lines: Vec<EventLine> = events.iter().map(|recorded| EventLine::from(&**recorded)).collect();
        self.after = lines.last().map_or(self.after, |last| last.seq);
        Ok(Some(lines))
    }
}

impl Operations {
    /// One run.
    ///
    /// # Errors
    /// No such run, or one of a service that the caller may not touch.
    pub async fn run(&self, id: Uuid, caller: &Caller) -> Result<RunRecord, OperationError> {
        let record = match self.0.live.get(id) {
            Some(run) => run.record(),
            None => self.0.master.run(id).await?.ok_or_else(|| {
                OperationError::refuse(RefusalCode::UnknownRun, format!("there is no run {id}"))
                    .with_cure("list the runs to find its id")
            })?,
        };
        caller.check(record.service.as_deref())?;
        Ok(record)
    }

    /// A run of this process, under way or just over.
    pub fn live_run(&self, id: Uuid) -> Option<RunHandle> {
        self.0.live.get(id)
    }

    /// A page of runs, newest first, without those of services that the caller may not touch; and how many there are on
    /// all pages.
    ///
    /// # Errors
    /// When the master database is away.
    pub async fn runs(&self, filter: RunFilter, caller: &Caller) -> Result<(Vec<RunRecord>, i64), OperationError> {
        Ok(self.0.master.runs(&RunFilter { services: caller.services.clone(), ..filter }).await?)
    }

    /// The events of a run after `after` (0 for all), then those that follow until it is over.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_events(&self, id: Uuid, after: u64, caller: &Caller) -> Result<RunEvents, OperationError> {
        self.run(id, caller).await?;
        let live = self.0.live.get(id).map(|run| run.follow(after));
        Ok(RunEvents { operations: self.clone(), id, after, live })
    }
}

/// The first of several runs; an order is always about at least one database.
pub(super) fn first(runs: Vec<RunHandle>) -> Result<RunHandle, OperationError> {
    runs.into_iter().next().ok_or_else(|| EngineError::new(ErrorCode::Internal, "no database was meant").into())
}

/// Waits for a task that goes on by itself; one that panicked is an error like any other.
pub(super) async fn joined<T>(task: JoinHandle<Result<T, OperationError>>) -> Result<T, OperationError> {
    task.await.unwrap_or_else(|_| {
        Err(EngineError::new(ErrorCode::Internal, "the program broke down while it worked on the request").into())
    })
}
