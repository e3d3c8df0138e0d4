//! From the first key to the last, batch by batch, each its own transaction together with its journal row.

use std::time::Duration;

use postgres_link::BatchError;
use tokio::time::Instant;

use super::journal::{self, Begun, Key, Moved};
use super::pace::Pace;
use super::pressure::{Pressure, pauses, rest};
use super::sql;
use super::table::Table;
use crate::catalogue::RunSettings;
use crate::event::{Blocker, Event};
use crate::project::Backfill;
use crate::run::apply::{StepEnd, ended};
use crate::run::attempt::{Hands, Stopped};
use crate::run::envelope::PRELUDE;
use crate::run::steps::Step;
use crate::target::quote::identifier;
use crate::target::session::own_statement;
use crate::target::store;

/// How often progress is told.
const TELL: Duration = Duration::from_millis(500);

/// A walk over one table.
pub(super) struct Walk<'a> {
    pub hands: &'a Hands<'a>,
    pub step: &'a Step,
    pub backfill: &'a Backfill,
    pub table: &'a Table,
}

/// Where a walk stands.
struct Place {
    done_to: Option<Key>,
    rows_done: u64,
    rows_estimated: u64,
    /// By this run.
    rows_changed: u64,
    rows_per_second: f64,
    told: Option<Instant>,
}

impl Walk<'_> {
    /// Walks from where `begun` says it stands to the end. Answers how many rows it changed.
    pub(super) async fn walk(&self, begun: &Begun) -> Result<u64, StepEnd> {
        let Some(walk_to) = self.end(begun).await? else { return self.close().await.map(|()| 0) };
        let budget_ms = self.backfill.batch_ms.unwrap_or(self.hands.settings.backfill.batch_ms);
        let known = Some(begun.batch_rows).filter(|_| begun.batches > 0);
        let mut pace = Pace::new(Duration::from_millis(budget_ms), self.backfill.batch_rows, known);
        let mut pressure = Pressure::new();
        let mut place = Place {
            done_to: begun.done_to.clone(),
            rows_done: begun.rows_done,
            rows_estimated: begun.rows_estimated,
            rows_changed: 0,
            rows_per_second: begun.rows_per_second.unwrap_or(0.0),
            told: None,
        };
        let resting = "batches take longer than they may, however few rows they have";
        while place.done_to.as_ref() != Some(&walk_to) {
            pressure.allows(self.hands, self.step).await?;
            let began = Instant::now();
            let (to, rows) = self.next(place.done_to.as_deref(), &walk_to, pace.rows()).await?;
            if rows > 0 {
                self.batch(&mut pace, &mut place, budget_ms, &to, rows).await?;
                let time = began.elapsed();
                if let Some(pause) = pace.rest(time) {
                    pauses(self.hands, self.step, resting, pause, true).await?;
                    rest(self.hands, pause).await?;
                }
            } else {
                // Whatever was left has been deleted meanwhile.
                place.done_to = Some(walk_to.clone());
            }
        }
        self.tell(&mut place, &pace, true);
        self.close().await.map(|()| place.rows_changed)
    }

    /// The greatest key when the walk began; `None` where the table is empty.
    async fn end(&self, begun: &Begun) -> Result<Option<Key>, StepEnd> {
        if let Some(walk_to) = &begun.walk_to {
            return Ok(Some(walk_to.clone()));
        }
        let found = self.read(&self.table.greatest()).await?;
        let Some(walk_to) = found.as_deref().and_then(journal::key) else { return Ok(None) };
        let keep = journal::lead_to(self.step, self.backfill.statement, &walk_to);
        self.keep(&keep).await?;
        Ok(Some(walk_to))
    }

    /// The last key of the next batch, and how many rows it has.
    async fn next(&self, from: Option<&[String]>, walk_to: &[String], rows: u64) -> Result<(Key, u64), StepEnd> {
        if let Some(to) = self.read(&self.table.step(from, walk_to, rows)).await?.as_deref().and_then(journal::key) {
            return Ok((to, rows));
        }
        let left = self.read(&self.table.count(from, walk_to)).await?;
        Ok((walk_to.to_vec(), left.and_then(|n| n.parse().ok()).unwrap_or(0)))
    }

    /// One batch, in smaller ones where locks do not come. Moves `place` behind what was done.
    async fn batch(
        &self,
        pace: &mut Pace,
        place: &mut Place,
        budget_ms: u64,
        to: &[String],
        rows: u64,
    ) -> Result<(), StepEnd> {
        let (mut to, mut rows, mut attempt) = (to.to_vec(), rows, 1);
        // One attempt each: a batch that waits does it with as few locks as possible. It waits no longer than it may take.
        let settings = RunSettings {
            lock_attempts: 1,
            lock_timeout_ms: self.hands.settings.lock_timeout_ms.min(budget_ms),
            ..self.hands.settings.clone()
        };
        let hands = Hands { settings: &settings, ..*self.hands };
        loop {
            let began = Instant::now();
            let message = self.message(&settings, place, pace, &to, rows);
            match hands.send_with_retries(&self.step.id, &message).await {
                Ok(outcome) => {
                    let changed = outcome.value(PRELUDE + 2, 0).and_then(|rows| rows.parse::<u64>().ok());
                    place.rows_changed += changed.unwrap_or(0);
                    pace.took(rows, began.elapsed());
                    place.moved(to, rows, began.elapsed());
                    self.tell(place, pace, false);
                    return Ok(());
                }
                Err(stopped) => {
                    let why = match &stopped {
                        Stopped::NoLock { blockers, .. } => in_the_way(blockers),
                        Stopped::Yielded { .. } => "others waited for a batch as long as they may".to_owned(),
                        _ => return Err(self.ended(stopped)),
                    };
                    let of = self.hands.settings.lock_attempts;
                    if attempt == of {
                        return Err(self.ended(match stopped {
                            Stopped::NoLock { error, blockers, .. } => {
                                Stopped::NoLock { error, blockers, attempts: of }
                            }
                            other => other,
                        }));
                    }
                    pace.blocked();
                    let delay = Duration::from_millis(self.hands.settings.delay_after_ms(attempt));
                    pauses(self.hands, self.step, &why, delay, true).await?;
                    rest(self.hands, delay).await?;
                    attempt += 1;
                    let smaller = pace.rows().min(rows);
                    (to, rows) = self.next(place.done_to.as_deref(), &to, smaller).await?;
                }
            }
        }
    }

    fn message(&self, settings: &RunSettings, place: &Place, pace: &Pace, to: &[String], rows: u64) -> String {
        let moved = Moved {
            from: place.done_to.as_deref(),
            to,
            rows,
            batch_rows: pace.rows(),
            rows_per_second: place.rows_per_second,
        };
        let run_id = self.hands.context.run_id;
        let journal = journal::advance(self.step, self.backfill.statement, &moved, run_id);
        format!(
            "{}{};{};{};{}",
            self.step.opening("BEGIN", settings.lock_timeout_ms),
            sql::SEE_ALL,
            sql::OURS,
            sql::batch(self.step, self.backfill, self.table, place.done_to.as_deref(), to),
            self.step.ending(&format!("{journal};COMMIT")),
        )
    }

    /// Says that this walk is at its end.
    async fn close(&self) -> Result<(), StepEnd> {
        let (step, statement) = (self.step, self.backfill.statement);
        let checksum = step.script().statement_checksum(statement);
        let run_id = self.hands.context.run_id;
        let done = store::journal(&step.id, step.direction, statement, &checksum, true, run_id);
        self.keep(&format!("BEGIN;{};{done};COMMIT", journal::filled(step, statement))).await
    }

    /// Asks the table something as its owner. Neither an operator nor a policy of anybody comes into it.
    async fn read(&self, query: &str) -> Result<Option<String>, StepEnd> {
        let owner = identifier(&self.step.owner);
        let message = format!("BEGIN READ ONLY;SET LOCAL ROLE {owner};{};{query};COMMIT", sql::SEE_ALL);
        let outcome = self.hands.send(&self.step.id, &message).await.map_err(|(stopped, _)| self.ended(stopped))?;
        Ok(outcome.value(3, 0).map(str::to_owned))
    }

    async fn keep(&self, message: &str) -> Result<(), StepEnd> {
        match self.hands.send_with_retries(&self.step.id, message).await {
            Ok(_) => Ok(()),
            Err(stopped) => {
                Err(ended(stopped, self.step, |error| own_statement(error, "keeping how far the backfill has come")))
            }
        }
    }

    fn ended(&self, stopped: Stopped) -> StepEnd {
        ended(stopped, self.step, |error: &BatchError| {
            // Where the message parses, what comes before the update is the engine's own; what comes after, too.
            if error.completed() == PRELUDE + 2 {
                self.step.refusal_of_one(error, self.backfill.statement)
            } else {
                own_statement(error, "filling a batch of rows").migration(&self.step.id)
            }
        })
    }

    fn tell(&self, place: &mut Place, pace: &Pace, always: bool) {
        if !always && place.told.is_some_and(|told| told.elapsed() < TELL) {
            return;
        }
        place.told = Some(Instant::now());
        let rows_estimated = if always { place.rows_done } else { place.rows_estimated.max(place.rows_done) };
        let rate = place.rows_per_second;
        let left_ms = (rate > 0.0).then(|| ((rows_estimated - place.rows_done) as f64 / rate * 1_000.0) as u64);
        self.hands.context.events.send(Event::BackfillProgress {
            migration: self.step.id.clone(),
            statement: self.backfill.statement + 1,
            relation: self.backfill.update.relation.to_string(),
            rows_done: place.rows_done,
            rows_estimated,
            rows_per_second: rate as u64,
            left_ms,
            batch_rows: pace.rows(),
        });
    }
}

impl Place {
    fn moved(&mut self, to: Key, rows: u64, time: Duration) {
        let rate = rows as f64 / time.as_secs_f64().max(0.000_1);
        // Of the last batches; the pauses between them do not count.
        self.rows_per_second = if self.rows_per_second > 0.0 { 0.8 * self.rows_per_second + 0.2 * rate } else { rate };
        self.rows_done += rows;
        self.done_to = Some(to);
    }
}

/// That a lock of a batch did not come, and who has it.
fn in_the_way(blockers: &[Blocker]) -> String {
    let who = blockers.first().map_or_else(String::new, |blocker| format!(": {} has it", blocker.in_words()));
    format!("a row of a batch is locked{who}")
}
