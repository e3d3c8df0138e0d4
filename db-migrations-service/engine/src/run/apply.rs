//! A migration as one transaction: one round trip, one commit, its history row inside.

use std::time::Instant;

use super::attempt::{Hands, Stopped};
use super::envelope::Part;
use super::steps::Step;
use crate::error::{EngineError, ErrorCode};

/// How a step ended that did not succeed.
#[derive(Debug)]
pub(crate) enum StepEnd {
    /// The migration failed; the run ends and the failure is recorded.
    Failed(Box<EngineError>),
    /// The run was cancelled.
    Cancelled,
}

/// Runs the step. On success it and its history row are committed; else nothing of it is there.
pub(crate) async fn apply(hands: &Hands<'_>, step: &Step) -> Result<u64, StepEnd> {
    let begun = Instant::now();
    let closing = step.record_sql(&hands.context.actor, hands.context.run_id, None);
    let envelope = step.envelope(Part::Whole, hands.settings.lock_timeout_ms, hands.context.run_id, &closing);
    match hands.send_step(step, &envelope).await {
        Ok(_) => Ok(begun.elapsed().as_millis() as u64),
        Err(stopped) => Err(ended(stopped, step, |error| step.refusal(error, &envelope))),
    }
}

/// Why messages stopped, as the end of its step.
pub(crate) fn ended(
    stopped: Stopped,
    step: &Step,
    refusal: impl Fn(&postgres_link::BatchError) -> EngineError,
) -> StepEnd {
    match stopped {
        Stopped::Cancelled => StepEnd::Cancelled,
        Stopped::GuardLost(error) => StepEnd::Failed(Box::new(error.migration(&step.id))),
        Stopped::Failed(error) => StepEnd::Failed(Box::new(refusal(&error))),
        Stopped::Yielded { error, victims, behind } => {
            let mut refused = refusal(&error);
            refused.code = ErrorCode::BlocksOthers;
            let waited = match victims.len() {
                1 => "a session".to_owned(),
                n => format!("{n} sessions"),
            };
            let (itself, cure) = match behind.first() {
                None => (String::new(), "split it into steps that block less (`profe migrate validate` names them)"),
                Some(first) => (format!(", which itself waited for {},", first.in_words()), "let that end, or end it"),
            };
            refused.message = format!(
                "{}: {waited} waited for it{itself} as long as they may, in every attempt; it was taken back",
                step.text.file
            );
            refused.cure = Some(format!("{cure}, run it at a quieter hour, or raise run.blocking_budget_ms"));
            refused.blockers = victims;
            StepEnd::Failed(Box::new(refused))
        }
        Stopped::NoLock { error, blockers, attempts } => {
            let mut refused = refusal(&error);
            refused.code = ErrorCode::LockTimeout;
            let who = blockers.first().map_or_else(String::new, |b| format!("; in the way: {}", b.in_words()));
            refused.message = format!("{}: no lock in {attempts} attempts{who}", refused.message);
            refused.cure = Some(
                "end the sessions in the way, or run again at a quieter hour; nothing was half applied".to_owned(),
            );
            refused.blockers = blockers;
            StepEnd::Failed(Box::new(refused))
        }
    }
}
