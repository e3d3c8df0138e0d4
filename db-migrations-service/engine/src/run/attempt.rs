//! Sending messages and staying in control of them: they can be cancelled, they show how far they are and whom they
//! wait for, they give up a lock that does not come and try again.

use std::time::Duration;

use postgres_link::{AdminConn, BatchError, BatchOutcome};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};

use super::beside::Beside;
use super::envelope::{Envelope, Part};
use super::steps::Step;
use super::telling::Telling;
use crate::catalogue::RunSettings;
use crate::error::{EngineError, ErrorCode};
use crate::event::{Blocker, Event};
use crate::migration::MigrationId;
use crate::request::RunContext;
use crate::target::lock;

/// How often a running message is looked after at most: the wait is shown, a cancellation is repeated, those who wait
/// for us are counted.
const LOOK: Duration = Duration::from_millis(250);

/// The sessions and settings that all parts of a run share.
pub(crate) struct Hands<'a> {
    /// Does the work.
    pub conn: &'a AdminConn,
    /// Looks at it meanwhile.
    pub beside: &'a Beside,
    pub settings: &'a RunSettings,
    pub context: &'a RunContext,
}

/// What is sent at once.
struct Sending<'a> {
    id: &'a MigrationId,
    messages: Vec<&'a str>,
    /// The statement that it is about, counted from 1.
    statement: Option<usize>,
    /// What is told of statement by statement.
    told: Option<(&'a Step, &'a Envelope)>,
}

impl<'a> Sending<'a> {
    fn one(id: &'a MigrationId, message: &'a str) -> Self {
        Self { id, messages: vec![message], statement: None, told: None }
    }

    fn step(step: &'a Step, envelope: &'a Envelope) -> Self {
        let (statement, told) = match envelope.part {
            Part::Whole => (None, Some((step, envelope))),
            Part::Statement(index) => (Some(index + 1), None),
        };
        Self { id: &step.id, messages: envelope.sql(), statement, told }
    }
}

/// Why messages did not go through.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The server refused it, or was lost.
    Failed(BatchError),
    /// The whole ladder was climbed and the lock was not had.
    NoLock { error: BatchError, blockers: Vec<Blocker>, attempts: u32 },
    /// Others waited for us as long as they may, and we let them pass; what we waited for ourselves then is `behind`.
    Yielded { error: BatchError, victims: Vec<Blocker>, behind: Vec<Blocker> },
    /// The run was cancelled, and the message with it.
    Cancelled,
    /// The session that holds the migration lock is gone, and another runner may be at work; or there is none that could look.
    GuardLost(Box<EngineError>),
}

fn guard_lost(why: &str) -> Box<EngineError> {
    let message = format!("the session that holds the migration lock and looks after the statement was lost: {why}");
    Box::new(EngineError::new(ErrorCode::DatabaseUnavailable, message).cure(
        "see that the server runs, then run again: what was in hand is either whole or not there, and the next run knows which",
    ))
}

impl Hands<'_> {
    /// A session on which no transaction is open, for what is asked between two messages.
    pub(crate) fn quiet(&self) -> &AdminConn {
        self.beside.opened().unwrap_or(self.conn)
    }

    /// Sends `message`; what it waits for is reported as events of `id`. After a failure no transaction is open.
    pub(crate) async fn send(&self, id: &MigrationId, message: &str) -> Result<BatchOutcome, (Stopped, Vec<Blocker>)> {
        self.send_within(&Sending::one(id, message), None).await
    }

    /// The same for the statement at `index` of the migration.
    pub(crate) async fn send_statement(
        &self,
        id: &MigrationId,
        index: usize,
        message: &str,
    ) -> Result<BatchOutcome, (Stopped, Vec<Blocker>)> {
        self.send_within(&Sending { statement: Some(index + 1), ..Sending::one(id, message) }, None).await
    }

    /// Gives way to those who wait for us longer than `budget`.
    async fn send_within(
        &self,
        sending: &Sending<'_>,
        budget: Option<Duration>,
    ) -> Result<BatchOutcome, (Stopped, Vec<Blocker>)> {
        let sent = Box::pin(self.send_raw(sending, budget)).await;
        if sent.is_err() && !self.conn.is_closed() {
            // Ends the failed transaction; outside of one it is a warning.
            let _ = self.conn.batch("ROLLBACK").await;
        }
        sent
    }

    async fn send_raw(
        &self,
        sending: &Sending<'_>,
        budget: Option<Duration>,
    ) -> Result<BatchOutcome, (Stopped, Vec<Blocker>)> {
        let mut blockers = Vec::new();
        if self.context.cancel.is_cancelled() {
            return Err((Stopped::Cancelled, blockers));
        }
        if self.beside.holder().is_some_and(AdminConn::is_closed) {
            return Err((Stopped::GuardLost(guard_lost("its connection has ended")), blockers));
        }
        let mut begun = Instant::now();
        // Four looks within the budget, so that what is seen late is still seen in time.
        let pause = budget.map_or(LOOK, |budget| LOOK.min(budget / 4));
        let mut look = interval_at(begun + pause, pause);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut flight = match self.conn.flight(&sending.messages) {
            Ok(flight) => flight,
            Err(error) => return Err((Stopped::Failed(error), blockers)),
        };
        let mut telling = sending.told.map(|(step, envelope)| Telling::begin(step, envelope, &self.context.events));
        let lasts = sleep_until(begun);
        tokio::pin!(lasts);
        let mut outcome = BatchOutcome::default();
        let guard_closed = self.beside.lost();
        tokio::pin!(guard_closed);
        let (mut cancelled, mut lost, mut yielded) = (false, None, None);
        let result = loop {
            let due = telling.as_ref().and_then(Telling::due);
            if let Some(due) = due
                && due != lasts.deadline()
            {
                lasts.as_mut().reset(due);
            }
            tokio::select! {
                biased;
                answer = flight.next() => match answer {
                    Some(Ok(answer)) => {
                        begun = Instant::now();
                        if let Some(telling) = &mut telling {
                            telling.done(&answer);
                        }
                        outcome.statements.extend(answer.statements);
                    }
                    Some(Err(error)) => break Err(error),
                    None => break Ok(outcome),
                },
                () = self.context.cancel.cancelled(), if !cancelled => {
                    cancelled = true;
                    self.cancel_statement().await;
                }
                closed = &mut guard_closed, if lost.is_none() => {
                    lost = Some(guard_lost(&closed));
                    self.cancel_statement().await;
                }
                () = &mut lasts, if due.is_some() => {
                    if let Some(telling) = &mut telling {
                        telling.lasts();
                    }
                }
                _ = look.tick() => {
                    // A cancellation that comes between two messages is lost: say it again until it is heard.
                    if cancelled || lost.is_some() || yielded.is_some() {
                        self.cancel_statement().await;
                    } else {
                        let watch = match self.beside.watch().await {
                            Ok(watch) => watch,
                            // Nobody would see whom it keeps waiting.
                            Err(error) => {
                                lost = Some(Box::new(error));
                                self.cancel_statement().await;
                                continue;
                            }
                        };
                        if let Some(budget) = budget {
                            let victims = lock::victims_of(watch, self.conn.backend_pid(), budget.saturating_sub(pause)).await;
                            if !victims.is_empty() {
                                let behind = lock::blockers_of(watch, self.conn.backend_pid()).await;
                                yielded = Some((victims, behind));
                                self.cancel_statement().await;
                                continue;
                            }
                        }
                        let found = lock::blockers_of(watch, self.conn.backend_pid()).await;
                        if !found.is_empty() {
                            if budget.is_some() && found.iter().any(Blocker::is_autovacuum) {
                                lock::dismiss_autovacuum(watch, self.conn.backend_pid()).await;
                            }
                            let statement = telling.as_ref().map_or(sending.statement, Telling::statement);
                            let waited_ms = begun.elapsed().as_millis() as u64;
                            let blockers_now = found.clone();
                            self.context.events.send(Event::Waiting {
                                migration: sending.id.clone(), statement, waited_ms, blockers: blockers_now,
                            });
                            blockers = found;
                        }
                    }
                }
            }
        };
        let error = match result {
            // It may have been too late to cancel: what is committed is committed.
            Ok(outcome) => return Ok(outcome),
            Err(error) => error,
        };
        let stopped = match (lost, error.sqlstate()) {
            (Some(why), _) => Stopped::GuardLost(why),
            (None, Some("57014")) if let Some((victims, behind)) = yielded => {
                Stopped::Yielded { error, victims, behind }
            }
            (None, Some("57014")) if cancelled => Stopped::Cancelled,
            _ => Stopped::Failed(error),
        };
        Err((stopped, blockers))
    }

    /// Sends a step inside a transaction that is already open and will be rolled back. It begins with
    /// `SAVEPOINT step`, so that a refusal does not end the whole.
    pub(crate) async fn try_step(&self, step: &Step, envelope: &Envelope) -> Result<BatchOutcome, Stopped> {
        match Box::pin(self.send_raw(&Sending::step(step, envelope), None)).await {
            Ok(outcome) => Ok(outcome),
            Err((stopped, _)) => {
                let _ = self.conn.batch("ROLLBACK TO SAVEPOINT step").await;
                Err(stopped)
            }
        }
    }

    /// Sends a message that is one whole transaction, again and again while a lock in it does not come in time.
    pub(crate) async fn send_with_retries(&self, id: &MigrationId, message: &str) -> Result<BatchOutcome, Stopped> {
        self.retried(&Sending::one(id, message)).await
    }

    /// The same for an envelope. What its statements do is reported as events where it carries the whole step.
    pub(crate) async fn send_step(&self, step: &Step, envelope: &Envelope) -> Result<BatchOutcome, Stopped> {
        self.retried(&Sending::step(step, envelope)).await
    }

    /// The same for what is no migration, whose statements nobody watches.
    pub(crate) async fn send_quietly(&self, step: &Step, envelope: &Envelope) -> Result<BatchOutcome, Stopped> {
        self.retried(&Sending { told: None, ..Sending::step(step, envelope) }).await
    }

    async fn retried(&self, sending: &Sending<'_>) -> Result<BatchOutcome, Stopped> {
        let id = sending.id;
        let attempts = self.settings.lock_attempts;
        let budget = Duration::from_millis(self.settings.blocking_budget_ms);
        let mut attempt = 1;
        loop {
            let (stopped, blockers) = match self.send_within(sending, Some(budget)).await {
                Ok(outcome) => return Ok(outcome),
                Err(stopped) => stopped,
            };
            let stopped = match stopped {
                // 55P03: lock_timeout; 40P01: the server broke a deadlock by stopping us.
                Stopped::Failed(error) if matches!(error.sqlstate(), Some("55P03" | "40P01")) => {
                    Stopped::NoLock { error, blockers: blockers.clone(), attempts }
                }
                Stopped::Yielded { error, victims, behind } => {
                    let budget_ms = self.settings.blocking_budget_ms;
                    self.context.events.send(Event::Yielded {
                        migration: id.clone(),
                        budget_ms,
                        victims: victims.clone(),
                    });
                    Stopped::Yielded { error, victims, behind }
                }
                other => return Err(other),
            };
            if attempt == attempts {
                return Err(stopped);
            }
            let delay_ms = self.settings.delay_after_ms(attempt);
            self.context.events.send(Event::Retrying {
                migration: id.clone(),
                attempt,
                of: attempts,
                delay_ms,
                blockers,
            });
            tokio::select! {
                () = sleep(Duration::from_millis(delay_ms)) => {}
                () = self.context.cancel.cancelled() => return Err(Stopped::Cancelled),
            }
            attempt += 1;
        }
    }

    async fn cancel_statement(&self) {
        if let Err(error) = self.conn.cancel().await {
            tracing::warn!(%error, "the running statement could not be cancelled");
        }
    }
}
