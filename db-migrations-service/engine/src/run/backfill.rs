//! A change too large for one statement: expanded, filled batch by batch, checked, contracted.
//!
//! The expand part is one transaction. Then a trigger keeps new writes consistent, and each UPDATE of the backfill walks its
//! table by a unique key, in batches sized to a time budget, each its own transaction with its journal row: a crash costs one
//! batch. The contract part is one transaction again: it first sees that no row is left, and ends with the history row.
//! Whatever ends a run in between, the next one goes on from there.

pub(crate) mod journal;
pub(crate) mod sql;

mod pace;
mod pressure;
mod table;
mod transaction;
mod walk;

use std::collections::BTreeMap;
use std::time::Instant;

use postgres_link::BatchError;

use super::apply::{StepEnd, ended};
use super::attempt::{Hands, Stopped};
use super::pieces::first_line;
use super::steps::Step;
use super::stepwise::check_unchanged;
use crate::error::{EngineError, ErrorCode};
use crate::event::Event;
use crate::project::{Backfill, Parts};
use crate::target::session::own_statement;
use crate::target::store::{self, Direction, Journalled};
use journal::Begun;
use table::Table;
use transaction::{Content, Transaction};
use walk::Walk;

/// What a statement of a backfill is called in events.
const TAG: &str = "UPDATE (backfill)";

/// A migration with a backfill, in hand.
struct InHand<'a> {
    hands: &'a Hands<'a>,
    step: &'a Step,
    parts: &'a Parts,
}

/// Brings a scratch database to where `begun` stands: expanded, with its triggers as far as they were made.
pub(crate) async fn stand(hands: &Hands<'_>, step: &Step, begun: &[&Begun]) -> Result<(), StepEnd> {
    let Some(parts) = &step.script().parts else { return Ok(()) };
    let in_hand = InHand { hands, step, parts };
    in_hand.keep(journal::CREATE).await?;
    in_hand.first(&BTreeMap::new()).await?;
    let made =
        |backfill: &&Backfill| begun.iter().any(|b| b.statement == backfill.statement && !b.key_columns.is_empty());
    for backfill in parts.backfills.iter().filter(made) {
        in_hand.begin(backfill).await?;
    }
    Ok(())
}

/// Runs the step from where it stands. When it stops, what is committed stays. `may_contract` is asked before a contract.
pub(crate) async fn apply(
    hands: &Hands<'_>,
    step: &Step,
    journal: &BTreeMap<usize, Journalled>,
    may_contract: impl Future<Output = Result<(), EngineError>>,
) -> Result<u64, StepEnd> {
    let begun = Instant::now();
    let Some(parts) = &step.script().parts else {
        let error = EngineError::new(ErrorCode::Internal, format!("{} has no backfill", step.id));
        return Err(StepEnd::Failed(Box::new(error)));
    };
    check_unchanged(step, journal)?;
    let in_hand = InHand { hands, step, parts };
    in_hand.keep(journal::CREATE).await?;
    in_hand.first(journal).await?;
    let mut tables = Vec::new();
    for backfill in &parts.backfills {
        tables.push(in_hand.begin(backfill).await.map_err(|end| in_hand.left_behind(end, "the expand part is done"))?);
    }
    let filling = "the expand part is done and the backfill is kept as far as it came; the next run goes on there";
    for (backfill, table) in parts.backfills.iter().zip(&tables) {
        in_hand.fill(backfill, table).await.map_err(|end| in_hand.left_behind(end, filling))?;
    }
    let filled = "the expand part and the backfill are done; the next run goes on with the contract";
    if step.direction == Direction::Up
        && !parts.last.is_empty()
        && let Err(error) = may_contract.await
    {
        in_hand.keep(&journal::waits(step, Some(&error.message))).await?;
        return Err(in_hand.left_behind(StepEnd::Failed(Box::new(error.migration(&step.id))), filled));
    }
    in_hand.last(&tables, begun).await.map_err(|end| in_hand.left_behind(end, filled))?;
    Ok(begun.elapsed().as_millis() as u64)
}

impl InHand<'_> {
    /// The part before the backfill, unless it is done already.
    async fn first(&self, journal: &BTreeMap<usize, Journalled>) -> Result<(), StepEnd> {
        let range = self.parts.first.clone();
        if range.is_empty() || journal.get(&range.start).is_some_and(|entry| entry.done) {
            return Ok(());
        }
        let mut rows: Vec<String> = range.clone().map(|index| self.journalled(index, true)).collect();
        // What it is walked by is found out when the table is as the expand part leaves it. The trigger is there at once: what
        // the expand part demands of new rows, it gives them.
        let run_id = self.hands.context.run_id;
        for backfill in &self.parts.backfills {
            let relation = backfill.update.relation.to_string();
            rows.push(self.journalled(backfill.statement, false));
            rows.push(journal::begin(self.step, backfill.statement, &relation, &[], 0, 0, run_id));
        }
        let after = self.parts.backfills.iter().flat_map(|backfill| self.sync(backfill)).collect();
        let content = Content { statements: range, after, closing: rows.join(";"), ..Content::default() };
        self.run(content, |_, error| error).await
    }

    /// The statements that see that the update can be run, and make its trigger.
    fn sync(&self, backfill: &Backfill) -> Vec<(String, Option<usize>)> {
        let mut statements = sql::probes(self.step, backfill);
        if backfill.sync {
            statements.extend(sql::make_sync(self.step, backfill));
        }
        statements.into_iter().map(|statement| (statement, Some(backfill.statement))).collect()
    }

    /// Makes the trigger and the journal's row of a backfill, unless they stand.
    async fn begin(&self, backfill: &Backfill) -> Result<Table, StepEnd> {
        let (step, statement) = (self.step, backfill.statement);
        let table = table::look(self.hands, step, backfill).await?;
        let known = self.begun(statement).await?;
        // A walk by another key cannot go on where this one stopped.
        let goes_on = known.is_some_and(|begun| begun.key_columns == table.key_names());
        if goes_on && (table.is_synced || !backfill.sync) {
            return Ok(table);
        }
        let relation = backfill.update.relation.to_string();
        let run_id = self.hands.context.run_id;
        let rows = backfill.batch_rows.unwrap_or(0);
        let mut closing = vec![self.journalled(statement, false)];
        // What was written while the trigger was missing is seen from the first row on.
        closing.push(journal::begin(step, statement, &relation, &table.key_names(), table.rows, rows, run_id));
        let after = if backfill.sync && table.is_synced { Vec::new() } else { self.sync(backfill) };
        let content = Content { after, closing: closing.join(";"), ..Content::default() };
        self.run(content, |_, error| error).await?;
        Ok(table)
    }

    /// Walks one table.
    async fn fill(&self, backfill: &Backfill, table: &Table) -> Result<(), StepEnd> {
        let (step, statement) = (self.step, backfill.statement);
        let begun = self.begun(statement).await?.ok_or_else(|| {
            let why = format!("the journal of {} has lost its backfill", step.id);
            StepEnd::Failed(Box::new(EngineError::new(ErrorCode::Internal, why).migration(&step.id)))
        })?;
        let since = Instant::now();
        let of = step.script().statements.len();
        let line = step.script().location(step.script().statements[statement].0.start, Some(statement)).line;
        let mut rows = 0;
        if !begun.is_filled {
            self.hands.context.events.send(Event::StatementStarted {
                migration: step.id.clone(),
                statement: statement + 1,
                through: statement + 1,
                of,
                line,
                tag: TAG.to_owned(),
                text: first_line(step.script().statement(statement)),
                lasts: true,
            });
            rows = Walk { hands: self.hands, step, backfill, table }.walk(&begun).await?;
        }
        self.hands.context.events.send(Event::StatementFinished {
            migration: step.id.clone(),
            statement: statement + 1,
            through: statement + 1,
            of,
            line,
            tag: TAG.to_owned(),
            rows,
            resumed: begun.is_filled,
            duration_ms: since.elapsed().as_secs_f64() * 1_000.0,
            lasted: true,
        });
        Ok(())
    }

    /// The part after the backfill, with the check before it and the history row behind it.
    async fn last(&self, tables: &[Table], begun: Instant) -> Result<(), StepEnd> {
        let step = self.step;
        let has_contract = !self.parts.last.is_empty();
        let mut before = vec![sql::SEE_ALL.to_owned(), sql::OURS.to_owned()];
        for (backfill, table) in self.parts.backfills.iter().zip(tables) {
            if has_contract && !backfill.sync {
                before.push(sql::shut(table));
            }
            if has_contract || backfill.sync {
                before.push(sql::check(step, backfill, table));
            }
        }
        let drop = |backfill: &Backfill| (sql::drop_sync_of(&step.id, backfill.statement), None);
        let after = self.parts.backfills.iter().map(drop).collect();
        let duration = begun.elapsed().as_millis() as u64;
        let record = step.record_sql(&self.hands.context.actor, self.hands.context.run_id, Some(duration));
        let closing = format!("{};{record}", journal::clear(&step.id));
        let content = Content { before, statements: self.parts.last.clone(), after, closing };
        let ended = self.run(content, |sent: &BatchError, error| match sent.sql_error() {
            Some(sql) if sql.sqlstate == sql::ROWS_LEFT => self.rows_left(tables, &sql.message, sql.detail.as_deref()),
            _ => error,
        });
        let ended = ended.await;
        if let Err(StepEnd::Failed(error)) = &ended
            && error.code == ErrorCode::RowsLeft
        {
            self.walk_again(tables).await?;
        }
        ended
    }

    fn rows_left(&self, tables: &[Table], count: &str, sample: Option<&str>) -> EngineError {
        let key = sample.and_then(journal::key).unwrap_or_default();
        let found = self.parts.backfills.iter().zip(tables).find(|(_, table)| table.key.len() == key.len());
        let (relation, sample) = match found {
            Some((backfill, table)) => (backfill.update.relation.to_string(), table.in_words(&key)),
            None => (self.step.id.to_string(), String::new()),
        };
        EngineError::new(
            ErrorCode::RowsLeft,
            format!("{}: {count} rows of {relation} are not filled, one of them where {sample}", self.step.text.file),
        )
        .cure(
            "see why; the next run fills again from the first row. Where these rows are right as they are, say which are not \
             by `-- remaining: <condition>`",
        )
        .migration(&self.step.id)
    }

    /// Has the next run begin each walk at the first row.
    async fn walk_again(&self, tables: &[Table]) -> Result<(), StepEnd> {
        let run_id = self.hands.context.run_id;
        let mut statements = Vec::new();
        for (backfill, table) in self.parts.backfills.iter().zip(tables) {
            let relation = backfill.update.relation.to_string();
            let rows = backfill.batch_rows.unwrap_or(0);
            statements.push(journal::begin(
                self.step,
                backfill.statement,
                &relation,
                &table.key_names(),
                table.rows,
                rows,
                run_id,
            ));
            statements.push(self.journalled(backfill.statement, false));
        }
        self.keep(&format!("BEGIN;{};COMMIT", statements.join(";"))).await
    }

    fn journalled(&self, index: usize, done: bool) -> String {
        let checksum = self.step.script().statement_checksum(index);
        store::journal(&self.step.id, self.step.direction, index, &checksum, done, self.hands.context.run_id)
    }

    async fn begun(&self, statement: usize) -> Result<Option<Begun>, StepEnd> {
        let mut all = journal::read(self.hands.conn)
            .await
            .map_err(|error| StepEnd::Failed(Box::new(error.migration(&self.step.id))))?;
        Ok(all.remove(&(self.step.id.clone(), self.step.direction, statement)))
    }

    /// Runs a transaction of the step; `told` has the last word on what its failure means.
    async fn run(
        &self,
        content: Content,
        told: impl Fn(&BatchError, EngineError) -> EngineError,
    ) -> Result<(), StepEnd> {
        let transaction = Transaction::new(self.step, self.hands.settings.lock_timeout_ms, content);
        match self.hands.send_with_retries(&self.step.id, &transaction.message).await {
            Ok(_) => Ok(()),
            Err(stopped) => Err(ended(stopped, self.step, |error| told(error, transaction.refusal(self.step, error)))),
        }
    }

    async fn keep(&self, message: &str) -> Result<(), StepEnd> {
        let own = |error: &BatchError| own_statement(error, "keeping the journal of a backfill");
        let sent = self.hands.send_with_retries(&self.step.id, message).await;
        sent.map(|_| ()).map_err(|stopped: Stopped| ended(stopped, self.step, own))
    }

    fn left_behind(&self, mut end: StepEnd, what: &str) -> StepEnd {
        if let StepEnd::Failed(error) = &mut end {
            error.left_behind = Some(format!("of {} {what}", self.step.id));
        }
        end
    }
}
