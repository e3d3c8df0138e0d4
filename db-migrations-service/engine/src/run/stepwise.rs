//! A migration that cannot be one transaction: statement by statement, with a journal.
//!
//! A statement that can run in a transaction has its journal row in that transaction, so it is done exactly once. One
//! that cannot is journalled as started before and as done after; a crash in between leaves it in doubt, and
//! [`super::repair`] finds out from the catalog which of the two it was.

use std::time::Instant;

use sql_grammar::Alone;

use super::apply::{StepEnd, ended};
use super::attempt::{Hands, Stopped};
use super::envelope::Part;
use super::pieces::{first_line, kind};
use super::steps::Step;
use super::{backfill, repair};
use crate::error::{EngineError, ErrorCode};
use crate::event::Event;
use crate::target::store::{self, Journalled};

/// Runs the step from where its journal says it stands. When it fails, the statements before stay done.
pub(crate) async fn apply(
    hands: &Hands<'_>,
    step: &Step,
    journal: &std::collections::BTreeMap<usize, Journalled>,
) -> Result<u64, StepEnd> {
    if step.script().has_backfill() {
        return Box::pin(backfill::apply(hands, step, journal, async { Ok(()) })).await;
    }
    let begun = Instant::now();
    let total = step.script().statements.len();
    check_unchanged(step, journal)?;
    for index in 0..total {
        let entry = journal.get(&index);
        let statement_begun = Instant::now();
        let resumed = entry.is_some_and(|e| e.done);
        let (range, facts) = &step.script().statements[index];
        let text = step.script().statement(index);
        let tag = facts.alone.as_ref().map_or_else(|| kind(text), |alone| alone.what().to_owned());
        let line = step.script().location(range.start, Some(index)).line;
        let mut rows = 0;
        if !resumed {
            hands.context.events.send(Event::StatementStarted {
                migration: step.id.clone(),
                statement: index + 1,
                through: index + 1,
                of: total,
                line,
                tag: tag.clone(),
                text: first_line(text),
                lasts: true,
            });
            let in_doubt = entry.is_some();
            let result = match &facts.alone {
                Some(alone) => alone_statement(hands, step, index, alone, in_doubt).await.map(|()| 0),
                None => in_transaction(hands, step, index).await,
            };
            match result {
                Ok(written) => rows = written,
                Err(end) => return Err(left_behind(end, index, total)),
            }
        }
        hands.context.events.send(Event::StatementFinished {
            migration: step.id.clone(),
            statement: index + 1,
            through: index + 1,
            of: total,
            line,
            tag,
            rows,
            resumed,
            duration_ms: statement_begun.elapsed().as_secs_f64() * 1_000.0,
            lasted: true,
        });
    }
    let duration = begun.elapsed().as_millis() as u64;
    let record = step.record_sql(&hands.context.actor, hands.context.run_id, Some(duration));
    // `clear` is part of the record: a migration of this kind always leaves a journal.
    let message = format!("BEGIN;{}{record};COMMIT", step.reset());
    match hands.send_with_retries(&step.id, &message).await {
        Ok(_) => Ok(duration),
        Err(stopped) => {
            Err(ended(stopped, step, |error| crate::target::session::own_statement(error, "writing the history")))
        }
    }
}

/// An edited file may be resumed only where what was already run still says the same.
pub(super) fn check_unchanged(
    step: &Step,
    journal: &std::collections::BTreeMap<usize, Journalled>,
) -> Result<(), StepEnd> {
    for (&index, entry) in journal {
        let same = index < step.script().statements.len() && step.script().statement_checksum(index) == entry.checksum;
        if !same {
            return Err(StepEnd::Failed(Box::new(
                EngineError::new(
                    ErrorCode::Edited,
                    format!(
                        "{}: statement {} was already run in another form by an interrupted run",
                        step.text.file,
                        index + 1
                    ),
                )
                .cure("restore the statements that were run; those after them may change")
                .migration(&step.id),
            )));
        }
    }
    Ok(())
}

/// Answers the rows that it wrote.
async fn in_transaction(hands: &Hands<'_>, step: &Step, index: usize) -> Result<u64, StepEnd> {
    let checksum = step.script().statement_checksum(index);
    let journal = store::journal(&step.id, step.direction, index, &checksum, true, hands.context.run_id);
    let envelope =
        step.envelope(Part::Statement(index), hands.settings.lock_timeout_ms, hands.context.run_id, &journal);
    match hands.send_step(step, &envelope).await {
        Ok(outcome) => Ok(envelope.messages[0].rows(step, &outcome)),
        Err(stopped) => Err(ended(stopped, step, |error| step.refusal(error, &envelope))),
    }
}

async fn alone_statement(
    hands: &Hands<'_>,
    step: &Step,
    index: usize,
    alone: &Alone,
    in_doubt: bool,
) -> Result<(), StepEnd> {
    let own =
        |stopped| ended(stopped, step, |error| crate::target::session::own_statement(error, "keeping the journal"));
    let checksum = step.script().statement_checksum(index);
    let text = match repair::before(hands, step, alone, in_doubt).await? {
        repair::Found::Done => {
            let done = store::journal(&step.id, step.direction, index, &checksum, true, hands.context.run_id);
            return hands.send_with_retries(&step.id, &done).await.map(|_| ()).map_err(own);
        }
        repair::Found::Run => step.script().statement(index).to_owned(),
        repair::Found::RunInstead(text) => text,
    };
    let started = store::journal(&step.id, step.direction, index, &checksum, false, hands.context.run_id);
    hands.send_with_retries(&step.id, &started).await.map_err(own)?;
    let result = run_alone(hands, step, index, &text).await;
    if let Err((stopped, blockers)) = result {
        let stopped = match stopped {
            Stopped::Failed(error) if error.sqlstate() == Some("55P03") => {
                Stopped::NoLock { error, blockers, attempts: 1 }
            }
            other => other,
        };
        let mut end = ended(stopped, step, |error| step.refusal_of_one(error, index));
        match repair::after_failure(hands, step, alone).await {
            // Nothing of it is there: the statement is not begun, and may be corrected.
            None => {
                let _ = hands.conn.batch(&store::forget_statement(&step.id, step.direction, index)).await;
            }
            Some(what) => {
                if let StepEnd::Failed(error) = &mut end {
                    error.left_behind = Some(what);
                }
            }
        }
        return Err(end);
    }
    repair::verify(hands, step, alone, index).await?;
    let done = store::journal(&step.id, step.direction, index, &checksum, true, hands.context.run_id);
    hands.send_with_retries(&step.id, &done).await.map(|_| ()).map_err(own)
}

/// Runs one statement on its own as the owner role. Waiting this way holds no lock that others queue behind, so it
/// may take longer than a transaction may.
async fn run_alone(
    hands: &Hands<'_>,
    step: &Step,
    index: usize,
    text: &str,
) -> Result<(), (Stopped, Vec<crate::event::Blocker>)> {
    let timeout_ms = hands.settings.concurrent_timeout_s * 1_000;
    hands.send(&step.id, &step.session_settings(timeout_ms)).await?;
    let result = hands.send_statement(&step.id, index, text).await;
    // Also after a failure: the session goes on as the engine. A lost session shows in the next message.
    let _ = hands.conn.batch(Step::RESET_SETTINGS).await;
    result.map(|_| ())
}

fn left_behind(mut end: StepEnd, index: usize, total: usize) -> StepEnd {
    if let StepEnd::Failed(error) = &mut end {
        let done = match index {
            0 => String::new(),
            n => format!("statements 1 to {n} of {total} are done and journalled; the next run goes on after them"),
        };
        error.left_behind = match (done.is_empty(), error.left_behind.take()) {
            (true, what) => what,
            (false, None) => Some(done),
            (false, Some(what)) => Some(format!("{done}; {what}")),
        };
    }
    end
}
