//! How a run is started, carried through and written down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use migration_engine::request::RunContext;
use migration_engine::{EngineError, ErrorCode, Event, EventSink, Plan, PreparedRun};
use serde_json::Value;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use super::backups::{Cover, Covering};
use super::error::OperationError;
use super::events::{EventLog, Follower};
use super::homes::order_of;
use super::live::LiveRun;
use super::takeover::KeptOrder;
use super::trace::{self, RunTrace};
use super::turns::{Turn, Turns};
use super::{BackupOrigin, Caller, EventLine, Operations, Recording, RunEnd, RunHandle, RunKind, RunRecord, RunState};
use crate::monitor::meters::RunMeter;

/// Events are written at most so often: whoever listens, on this or another copy of the service, is not far behind, and
/// the flushes of the server's log do not add up beside those of the run.
const WRITE_EVERY: Duration = Duration::from_millis(500);
/// So many of them at once: as JSON they take several times the memory.
const WRITTEN_AT_ONCE: usize = 256;
/// A run without events still shows that it lives, and each looks so often whether another copy was asked to stop it.
const HEARTBEAT: Duration = Duration::from_secs(3);

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
    /// What whoever goes on with it needs to know, should this process not end it.
    pub(super) order: Option<Value>,
    /// The run that it goes on with.
    pub(super) continues: Option<Uuid>,
}

/// What the engine has prepared, and what is known of it.
pub(super) struct Ready {
    pub(super) opening: Opening,
    pub(super) beginning: Beginning,
    pub(super) prepared: PreparedRun,
}

/// What a run may do without, each with its reason.
#[derive(Default, Clone)]
pub(super) struct Without {
    /// The backup that the environment wants first.
    pub(super) backup: Option<String>,
    /// The consent of the releases that still use what it takes away.
    pub(super) releases: Option<String>,
}

impl Ready {
    /// Gives up all of them.
    pub(super) async fn let_go(all: Vec<Self>) {
        for ready in all {
            ready.prepared.let_go().await;
        }
    }
}

impl Opening {
    pub(super) fn new(id: Uuid, meter: RunMeter) -> Self {
        Self { id, log: Arc::default(), meter, cancel: CancellationToken::new(), span: trace::run_span(id) }
    }

    /// What tells of the run, and what stops it.
    pub(super) fn listening(&self) -> (Arc<EventLog>, CancellationToken) {
        (Arc::clone(&self.log), self.cancel.clone())
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

    fn begin(self, beginning: Beginning, caller: &Caller, at: OffsetDateTime) -> RunHandle {
        let record = RunRecord {
            id: self.id,
            kind: beginning.kind,
            environment: beginning.environment,
            service: beginning.service,
            dry_run: beginning.dry_run,
            state: RunState::Running,
            actor: caller.actor.to_string(),
            request_id: caller.request_id.clone(),
            started_at: at,
            finished_at: None,
            // Whoever asks for the record gets it made of the plan itself.
            plan: Value::Null,
            backup_id: beginning.cover.as_ref().and_then(|cover| cover.backup_id.clone()),
            backup_origin: beginning.cover.as_ref().map(|cover| cover.origin),
            report: None,
            continued_by: None,
            continues: beginning.continues,
            order: beginning.order,
        };
        RunHandle(Arc::new(LiveRun {
            id: self.id,
            record: Mutex::new(record),
            end: Mutex::new(None),
            plan: beginning.plan,
            ms_per_migration: Mutex::new(None),
            log: self.log,
            cancel: self.cancel,
            handed_over: AtomicBool::new(false),
        }))
    }
}

impl Operations {
    /// Launches runs that come one after the other, each in its database: in the order in which they require each other,
    /// rollbacks the other way round. None begins before all could be launched.
    pub(super) async fn launch_in_turn(
        &self,
        ready: Vec<Ready>,
        without: Without,
        caller: &Caller,
    ) -> Result<Vec<RunHandle>, OperationError> {
        let order = self.order_of_turns(&ready).await;
        let mut waiting: Vec<Option<Ready>> = ready.into_iter().map(Some).collect();
        let mut turns = Turns::new();
        let launched = async {
            for at in order? {
                let Some(Ready { opening, mut beginning, prepared }) = waiting[at].take() else { continue };
                let turn = (waiting.len() > 1).then(|| turns.next());
                if let Some(before) = turn.as_ref().and_then(Turn::before) {
                    KeptOrder::comes_after(&mut beginning.order, before);
                }
                let run = self.launch_prepared(opening, beginning, prepared, (without.clone(), turn), caller);
                turns.launched(Box::pin(run).await)?;
            }
            Ok(())
        };
        if let Err(error) = launched.await {
            Ready::let_go(waiting.into_iter().flatten().collect()).await;
            return Err(error);
        }
        Ok(turns.begin())
    }

    async fn order_of_turns(&self, ready: &[Ready]) -> Result<Vec<usize>, OperationError> {
        let plans: Vec<_> = ready.iter().map(|ready| ready.prepared.plan()).collect();
        let mut order = order_of(&plans)?;
        let goes_back = |ready: &Ready| ready.beginning.kind == RunKind::Rollback;
        if ready.iter().any(goes_back) {
            order.reverse();
        } else {
            let named = |at: &usize| (ready[*at].beginning.environment.as_str(), plans[*at]);
            self.refuse_unmet(&order.iter().map(named).collect::<Vec<_>>()).await?;
        }
        Ok(order)
    }

    /// Launches what the engine has prepared, unless it touches services that the caller may not.
    pub(super) async fn launch_prepared(
        &self,
        opening: Opening,
        beginning: Beginning,
        mut prepared: PreparedRun,
        (without, turn): (Without, Option<Turn>),
        caller: &Caller,
    ) -> Result<RunHandle, OperationError> {
        let mut plan = prepared.plan().clone();
        // Whatever has nothing to do need not wait for it.
        let turn = turn.filter(|_| !plan.is_empty());
        caller.check_plan(&plan)?;
        let Beginning { environment, kind, .. } = &beginning;
        if *kind == RunKind::Run
            && !beginning.dry_run
            && let Err(error) = self.hold_contracts(environment, &mut prepared, without.releases.clone()).await
        {
            prepared.let_go().await;
            return Err(error);
        }
        if *kind == RunKind::Rollback
            && !beginning.dry_run
            && let Err(error) = self.hold_rollback(environment, &mut prepared, without.releases.clone()).await
        {
            prepared.let_go().await;
            return Err(error);
        }
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
        let work = Box::pin(self.clone().covered_work(&opening, (turn, cover.clone()), prepared, caller));
        let beginning = Beginning { plan: Some(plan), cover: cover.clone(), ..beginning };
        let launched = self.launch(opening, beginning, caller, work).await;
        if let (Err(_), Some(cover)) = (&launched, cover) {
            cover.give_up();
        }
        launched
    }

    /// The run, once its turn has come and there is what covers it.
    fn covered_work(
        self,
        opening: &Opening,
        (turn, cover): (Option<Turn>, Option<Cover>),
        prepared: PreparedRun,
        caller: &Caller,
    ) -> impl Future<Output = RunEnd> + Send + 'static {
        let ((log, cancel), caller) = (opening.listening(), caller.clone());
        async move {
            if let Some(turn) = turn
                && let Err(error) = turn.come(prepared.hold(), (&log, &cancel)).await
            {
                if let Some(cover) = cover {
                    cover.give_up();
                }
                prepared.let_go().await;
                return RunEnd::Error(error);
            }
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
        let run = opening.begin(beginning, caller, self.master().now());
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
            if record.state == RunState::Cancelled && run.0.handed_over.load(Ordering::Relaxed) {
                record.state = RunState::Interrupted;
            }
            record.finished_at = Some(self.0.master.now());
            record.report = Some(end.to_json());
            record.clone()
        };
        self.monitor().meters().run_ended(&record, end.error());
        tracing::info!(state = record.state.as_str(), "the run is over");
        if record.state != RunState::Completed {
            runtime::trace::fail(&Span::current());
        }
        let written = if recorded {
            let ((), finished, counted) = tokio::join!(
                self.keep_audit_of(&record.environment, &end),
                self.0.master.finish_run(&record),
                self.monitor().meters().settle(self.master())
            );
            finished.and(counted)
        } else {
            Ok(())
        };
        *run.0.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        if let Err(error) = written {
            tracing::error!(run = %run.id(), %error, "the end of the run could not be written to the master database");
            // Whoever serves has time; a command has none, and another process settles its run.
            if matches!(self.0.recording, Recording::First) {
                tokio::spawn(self.clone().write_end_later(record));
            }
        }
        self.hub().stir();
        run.0.log.over();
        if recorded { self.0.live.retire(run.id()) } else { self.0.live.remove(run.id()) }
    }

    /// Writes down how a run ended once the master database is there again.
    async fn write_end_later(self, record: RunRecord) {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            match self.0.master.finish_run(&record).await {
                Err(error) if error.unavailable => {}
                Err(error) => {
                    tracing::error!(run = %record.id, %error, "the end of the run cannot be written to the master database");
                    return;
                }
                Ok(()) => {
                    tracing::info!(run = %record.id, "the end of the run is written to the master database");
                    self.hub().stir();
                    return;
                }
            }
        }
    }

    /// Copies events to the master database in batches. Returns whether the run stands there.
    async fn record_events(self, run: RunHandle, recorder: Recorder) -> bool {
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
        let mut looked = Instant::now();
        loop {
            if looked.elapsed() >= HEARTBEAT {
                looked = Instant::now();
                // What cannot be counted now is counted with what comes.
                let _ = self.monitor().meters().settle(self.master()).await;
                if self.0.master.is_asked_to_cancel(run.id()).await.unwrap_or(false) {
                    run.cancel();
                }
            }
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
            let _ = tokio::time::timeout(WRITE_EVERY, run.0.log.wait_complete()).await;
        }
    }

    /// Whose migration an event is about.
    fn service_of(&self, event: &Event) -> Option<&str> {
        self.catalogue().owner_of(&event.migration()?.schema).map(|(service, _)| service)
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
