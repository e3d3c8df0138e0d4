//! A dry run: everything in one transaction that is rolled back. It takes the same locks as the run would, and holds
//! them until its end. What cannot run in a transaction, and what needs it, is named as not tried.

use std::collections::BTreeSet;

use super::apply::{StepEnd, ended};
use super::attempt::{Hands, Stopped};
use super::execute::{PreparedRun, StepsEnd};
use super::steps::Step;
use crate::error::{EngineError, ErrorCode};
use crate::event::{Event, Outcome};
use crate::migration::MigrationId;
use crate::target::prepare;
use crate::target::session::own_statement;
use crate::target::store::Direction;

pub(crate) async fn run(run: &PreparedRun, hands: &Hands<'_>) -> StepsEnd {
    let mut result = StepsEnd { outcome: Outcome::Completed, done: Vec::new(), not_tried: Vec::new(), error: None };
    if let Err(error) = steps(run, hands, &mut result).await {
        let cancelled = error.code == ErrorCode::Cancelled;
        result.outcome = if cancelled { Outcome::Cancelled } else { Outcome::Failed };
        result.error = Some(error);
    }
    // Nothing is committed on any path; a lost session was rolled back by the server.
    let _ = hands.conn.batch("ROLLBACK").await;
    result
}

async fn steps(run: &PreparedRun, hands: &Hands<'_>, result: &mut StepsEnd) -> Result<(), Box<EngineError>> {
    hands.conn.batch("BEGIN").await.map_err(|e| Box::new(own_statement(&e, "beginning the dry run")))?;
    if run.plan.prepares_target && run.direction == Direction::Up {
        hands.context.events.send(Event::Preparing { what: "roles, schemas and grants of the catalogue".to_owned() });
        prepare::prepare_inside(hands.conn, &run.project.catalogue, run.installed, run.prepared_before).await?;
    }
    let mut untried: BTreeSet<MigrationId> = BTreeSet::new();
    for index in 0..run.plan.migrations.len() {
        let planned = &run.plan.migrations[index];
        let step = run.step(index)?;
        let needs = planned.waits_for.iter().find(|id| untried.contains(id));
        let why = match needs {
            Some(id) => Some(format!("it comes after {id}, which was not tried")),
            None if step.script().has_backfill() => {
                Some("a backfill is many transactions, one for each batch".to_owned())
            }
            None if !step.transactional => {
                let what = step
                    .script()
                    .statements
                    .iter()
                    .find_map(|(_, f)| f.alone.as_ref())
                    .map_or("a new enum value", |a| a.what());
                Some(format!("{what} cannot run inside a transaction"))
            }
            None => None,
        };
        if let Some(why) = why {
            not_tried(hands, result, &mut untried, &step.id, why);
            continue;
        }
        run.announce(index);
        let begun = std::time::Instant::now();
        let envelope = step.inside(hands.settings.lock_timeout_ms, hands.context.run_id);
        match hands.try_step(&step, &envelope).await {
            Ok(_) => {
                let duration_ms = begun.elapsed().as_millis() as u64;
                hands.context.events.send(Event::MigrationFinished { migration: step.id.clone(), duration_ms });
                result.done.push(step.id);
            }
            // 55P04: a value that an earlier migration added to an enum is not committed in a dry run.
            Err(Stopped::Failed(error)) if error.sqlstate() == Some("55P04") => {
                not_tried(
                    hands,
                    result,
                    &mut untried,
                    &step.id,
                    "it uses an enum value that a dry run cannot commit".to_owned(),
                );
            }
            Err(stopped) => return Err(failure(hands, stopped, &step, &envelope)),
        }
    }
    Ok(())
}

fn not_tried(
    hands: &Hands<'_>,
    result: &mut StepsEnd,
    untried: &mut BTreeSet<MigrationId>,
    id: &MigrationId,
    why: String,
) {
    hands.context.events.send(Event::NotTried { migration: id.clone(), why: why.clone() });
    untried.insert(id.clone());
    result.not_tried.push((id.clone(), why));
}

fn failure(hands: &Hands<'_>, stopped: Stopped, step: &Step, envelope: &super::envelope::Envelope) -> Box<EngineError> {
    let error = match ended(stopped, step, |error| step.refusal(error, envelope)) {
        StepEnd::Failed(error) => error,
        StepEnd::Cancelled => {
            Box::new(EngineError::new(ErrorCode::Cancelled, format!("cancelled in {}", step.id)).migration(&step.id))
        }
    };
    if error.code != ErrorCode::Cancelled {
        hands.context.events.send(Event::MigrationFailed { migration: step.id.clone(), error: error.clone() });
    }
    error
}
