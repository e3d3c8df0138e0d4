//! How a run is started, carried through and written down, and how it is stopped.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use migration_engine::request::RunContext;
use migration_engine::{EngineError, ErrorCode, Event, EventSink, Plan, PreparedRun};
use serde_json::Value;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use super::backups::{Cover, Covering};
use super::error::{OperationError, RefusalCode};
use super::events::{EventLog, Follower};
use super::live::LiveRun;
use super::trace::{self, RunTrace};
use super::{
    BackupHandle, BackupOrigin, Caller, EventLine, Operations, Recording, RunEnd, RunHandle, RunKind, RunRecord,
    RunState,
};
use crate::monitor::meters::RunMeter;

/// Events are written at most so often.
const WRITE_EVERY: Duration = Duration::from_millis(500);
/// So many of them at once: as JSON they take several times the memory.
const WRITTEN_AT_ONCE: usize = 256;
/// A run without events still shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A run that has an id and can be cancelled, but does nothing yet.
pub(super) struct Opening {
    id: Uuid,
    log: Arc<EventLog>,
    meter: RunMeter,
    cancel: CancellationToken,
    span: Span,
}

/// What is known of a run when it begins.
pub(super) struct Beginning {
    pub(super) kind: RunKind,
    pub(super) environment: String,
    pub(super) service: Option<String>,
    pub(super) dry_run: bool,
    pub(super) plan: Option<Plan>,
    pub(super) cover: Option<Cover>,
}

/// What a run may do without, each with its reason.
#[derive(Default)]
pub(super) struct Without {
    /// The backup that the environment wants first.
    pub(super) backup: Option<String>,
}

impl Opening {
    pub(super) fn new(meter: RunMeter) -> Self {
        let id = Uuid::now_v7();
        Self { id, log: Arc::default(), meter, cancel: CancellationToken::new(), span: trace::run_span(id) }
    }

    /// What is done for the run belongs into this.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    pub(super) fn context(&self, caller: &Caller, wait_for_lock: Duration) -> RunContext {
        let (log, meter) = (Arc::clone(&self.log), self.meter.clone());
        let trace = RunTrace::new(self.span.clone());
        RunContext {
            run_id: self.id,
            actor: caller.actor.to_string(),
            events: EventSink::new(move |event| {
                meter.see(&event);
                trace.see(&event);
                log.push(event);
            }),
            cancel: self.cancel.clone(),
            wait_for_lock,
        }
    }

    fn begin(self, beginning: Beginning, caller: &Caller) -> RunHandle {
        let record = RunRecord {
            id: self.id,
            kind: beginning.kind,
            environment: beginning.environment,
            service: beginning.service,
            dry_run: beginning.dry_run,
            state: RunState::Running,
            actor: caller.actor.to_string(),
            request_id: caller.request_id.clone(),
            started_at: OffsetDateTime::now_utc(),
            finished_at: None,
            // Whoever asks for the record gets it made of the plan itself.
            plan: Value::Null,
            backup_id: beginning.cover.as_ref().and_then(|cover| cover.backup_id.clone()),
            backup_origin: beginning.cover.as_ref().map(|cover| cover.origin),
            report: None,
        };
        RunHandle(Arc::new(LiveRun {
            id: self.id,
            record: Mutex::new(record),
            end: Mutex::new(None),
            plan: beginning.plan,
            ms_per_migration: Mutex::new(None),
            log: self.log,
            cancel: self.cancel,
        }))
    }
}

impl Operations {
    /// Launches what the engine has prepared, unless it touches services that the caller may not.
    pub(super) async fn launch_prepared(
        &self,
        opening: Opening,
        beginning: Beginning,
        mut prepared: PreparedRun,
        without: Without,
        caller: &Caller,
    ) -> Result<RunHandle, OperationError> {
        let mut plan = prepared.plan().clone();
        caller.check_plan(&plan)?;
        let Beginning { environment, kind, .. } = &beginning;
        if *kind == RunKind::Rollback {
            plan.backups = self.offers(environment, &plan).await;
        }
        let run = Covering { environment, kind: *kind, plan: &plan, no_backup: without.backup.as_deref() };
        let cover = if beginning.dry_run { Ok(None) } else { Box::pin(self.cover(run, caller)).await };
        let cover = match cover {
            Ok(cover) => cover,
            Err(error) => {
                prepared.let_go().await;
                return Err(error);
            }
        };
        if let Some(cover) = &cover
            && cover.origin == BackupOrigin::Waived
            && let Some(reason) = without.backup
        {
            prepared.go_without_backup(reason);
        }
        let work = Box::pin(self.clone().covered_work(&opening, cover.clone(), prepared, caller));
        let beginning = Beginning { plan: Some(plan), cover: cover.clone(), ..beginning };
        let launched = self.launch(opening, beginning, caller, work).await;
        if let (Err(_), Some(cover)) = (&launched, cover) {
            cover.give_up();
        }
        launched
    }

    /// The run, once there is what covers it.
    fn covered_work(
        self,
        opening: &Opening,
        cover: Option<Cover>,
        prepared: PreparedRun,
        caller: &Caller,
    ) -> impl Future<Output = RunEnd> + Send + 'static {
        let (log, cancel, caller) = (Arc::clone(&opening.log), opening.cancel.clone(), caller.clone());
        async move {
            if let Some(cover) = cover
                && let Err(error) = Box::pin(self.covered(&cover, &prepared, (&log, &cancel), &caller)).await
            {
                prepared.let_go().await;
                return RunEnd::Error(error);
            }
            RunEnd::Run(Box::new(Box::pin(prepared.execute()).await))
        }
    }

    /// Writes the run down and lets `work` go on by itself. A plan with nothing in it is waited for.
    pub(super) async fn launch<F>(
        &self,
        opening: Opening,
        beginning: Beginning,
        caller: &Caller,
        work: F,
    ) -> Result<RunHandle, OperationError>
    where
        F: Future<Output = RunEnd> + Send + 'static,
    {
        let span = opening.span();
        trace::describe(&span, &beginning);
        let run = opening.begin(beginning, caller);
        let empty = run.plan().is_some_and(Plan::is_empty);
        let recorded = match self.0.recording {
            Recording::First => {
                let estimate = self.0.master.insert_run(&run.record()).await?;
                *run.0.ms_per_migration.lock().unwrap_or_else(PoisonError::into_inner) = estimate;
                Recorder::Running
            }
            Recording::Alongside if empty => Recorder::None,
            Recording::Alongside => Recorder::InsertFirst,
        };
        self.0.live.add(run.clone());
        tokio::spawn(self.clone().carry_through(run.clone(), recorded, work).instrument(span));
        if empty {
            run.finished().await;
        }
        Ok(run)
    }

    async fn carry_through<F>(self, run: RunHandle, recorder: Recorder, work: F)
    where
        F: Future<Output = RunEnd> + Send + 'static,
    {
        tracing::info!("the run begins");
        let under_way = self.hub().run_begins();
        let recording = tokio::spawn(self.clone().record_events(run.clone(), recorder).in_current_span());
        // Its own task, so that a panic in it ends the run and nothing else.
        let end = tokio::spawn(work.in_current_span()).await.unwrap_or_else(|_| {
            RunEnd::Error(Box::new(
                EngineError::new(ErrorCode::Internal, "the run broke down inside the program")
                    .cure("see the program's log; the next run of the target recovers by itself"),
            ))
        });
        drop(under_way);
        run.0.log.complete();
        let recorded = recording.await.unwrap_or(false);
        let record = {
            let mut record = run.0.record.lock().unwrap_or_else(PoisonError::into_inner);
            record.state = end.state();
            record.finished_at = Some(OffsetDateTime::now_utc());
            record.report = Some(end.to_json());
            record.clone()
        };
        self.monitor().meters().run_ended(&record, end.error());
        tracing::info!(state = record.state.as_str(), "the run is over");
        if record.state != RunState::Completed {
            runtime::trace::fail(&Span::current());
        }
        if recorded {
            self.keep_audit_of(&record.environment, &end).await;
        }
        *run.0.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        if recorded && let Err(error) = self.0.master.finish_run(&record).await {
            tracing::error!(run = %run.id(), %error, "the end of the run could not be written to the master database");
        }
        self.hub().stir();
        run.0.log.over();
        if recorded { self.0.live.retire(run.id()) } else { self.0.live.remove(run.id()) }
    }

    /// Copies events to the master database in batches. Returns whether the run stands there.
    async fn record_events(self, run: RunHandle, recorder: Recorder) -> bool {
        // Whoever runs it alongside watches it: the record may come late, and its flushes shall not slow the run.
        let pause = if matches!(recorder, Recorder::InsertFirst) { HEARTBEAT } else { WRITE_EVERY };
        match recorder {
            Recorder::None => return false,
            Recorder::Running => {}
            Recorder::InsertFirst => {
                if let Err(error) = self.0.master.insert_run(&run.record()).await {
                    tracing::warn!(run = %run.id(), %error, "the run is not recorded in the master database; the target's history has it");
                    return false;
                }
            }
        }
        let mut follower = Follower::new(Arc::clone(&run.0.log), 0, false);
        loop {
            let events = match tokio::time::timeout(HEARTBEAT, follower.next()).await {
                Ok(None) => return true,
                Ok(Some(events)) => events,
                Err(_) => Vec::new(),
            };
            // Without any it is a heartbeat.
            let mut batches = events.chunks(WRITTEN_AT_ONCE);
            let mut batch = Some(batches.next().unwrap_or_default());
            while let Some(events) = batch {
                let lines: Vec<_> = events
                    .iter()
                    .map(|recorded| (EventLine::from(&**recorded), self.service_of(&recorded.event)))
                    .collect();
                if let Err(error) = self.0.master.append_events(run.id(), &lines).await {
                    tracing::warn!(run = %run.id(), %error, "events could not be written to the master database");
                }
                self.hub().stir();
                batch = batches.next();
            }
            let _ = tokio::time::timeout(pause, run.0.log.wait_complete()).await;
        }
    }

    /// Whose migration an event is about.
    fn service_of(&self, event: &Event) -> Option<&str> {
        self.catalogue().owner_of(&event.migration()?.schema).map(|(service, _)| service)
    }

    /// Stops a run of this process.
    ///
    /// # Errors
    /// No such run, one that is over, or one of another process.
    pub async fn cancel_run(&self, id: Uuid, caller: &Caller) -> Result<RunRecord, OperationError> {
        let record = self.run(id, caller).await?;
        caller.check(record.service.as_deref())?;
        if record.state != RunState::Running {
            let message = format!("the run {id} is over: {}", record.state.as_str());
            return Err(OperationError::refuse(RefusalCode::RunIsOver, message)
                .with_cure("look at the run itself for what it did"));
        }
        let Some(run) = self.0.live.get(id) else {
            return Err(OperationError::refuse(
                RefusalCode::RunIsElsewhere,
                format!("the run {id} belongs to another process"),
            )
            .with_cure("stop it where it was started (Ctrl-C in that terminal, or that copy of the service)"));
        };
        run.cancel();
        Ok(run.record())
    }

    /// Cancels whatever this process runs and waits until it is written down: for an orderly end of the process.
    pub async fn stop_all(&self) {
        let (runs, backups) = (self.0.live.all(), self.0.backup_jobs.all());
        runs.iter().for_each(RunHandle::cancel);
        backups.iter().for_each(BackupHandle::cancel);
        for run in runs {
            run.finished().await;
        }
        for backup in backups {
            // How it ended is told to whoever asked for it.
            let _ = backup.finished().await;
        }
    }
}

#[derive(Clone, Copy)]
enum Recorder {
    /// The run is not written down.
    None,
    /// It stands there already.
    Running,
    /// It has to be written first.
    InsertFirst,
}
