//! What `profe up` does before it is ready: apply what is pending, seed what was never seeded.

use std::time::Duration;

use migration_engine::event::Outcome;
use migration_engine::status::SeedState;
use owo_colors::OwoColorize;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::follow::{Doing, seeded, show};
use super::show::{GOOD, count, duration};
use crate::operations::{Operations, RunEnd, RunHandle, RunOrder, SeedOrder};

/// Another copy may be doing the same at this moment.
const WAIT_FOR_LOCK: Duration = Duration::from_mins(1);

/// Brings the environments up to date, and seeds those that are not protected.
///
/// # Errors
/// A migration or seed that failed; a stop in the middle.
pub async fn bring_up(
    context: &Context,
    operations: &Operations,
    environments: &[String],
    stop: &CancellationToken,
) -> Result<(), Failure> {
    for environment in environments {
        migrate(context, operations, environment, stop).await?;
        if !operations.environment(Some(environment))?.protected {
            seed(context, operations, environment, stop).await?;
        }
    }
    Ok(())
}

async fn migrate(
    context: &Context,
    operations: &Operations,
    environment: &str,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let order =
        RunOrder { environment: Some(environment.to_owned()), wait_for_lock: WAIT_FOR_LOCK, ..RunOrder::default() };
    let caller = context.caller();
    let started = stop.run_until_cancelled(operations.start_runs(order, &caller)).await;
    for run in started.transpose()?.ok_or_else(cancelled)? {
        told(context, &run, stop).await?;
    }
    Ok(())
}

async fn told(context: &Context, run: &RunHandle, stop: &CancellationToken) -> Result<(), Failure> {
    let quiet = context.quiet();
    let environment = run.record().environment;
    let report = match show(quiet, Doing::Apply, run, stop).await {
        Some(RunEnd::Run(report)) => *report,
        Some(RunEnd::Error(error)) => return Err(error.into()),
        Some(RunEnd::Seed(_)) | None => {
            return Err(Failure::other(Exit::Failed, "internal", "the run ended without a report", ""));
        }
    };
    match (report.outcome, report.error) {
        (Outcome::Completed, _) => {}
        (Outcome::Cancelled, _) => return Err(cancelled()),
        (Outcome::Failed, Some(error)) => return Err(error.into()),
        (Outcome::Failed, None) => {
            return Err(Failure::other(Exit::Failed, "internal", "the run failed without a reason", ""));
        }
    }
    if !report.done.is_empty() {
        let what = format!("{} applied", count(report.done.len(), "migration"));
        context.output.note(format!("{environment}: {} in {}", what.style(GOOD), duration(report.duration_ms)));
    }
    Ok(())
}

/// Seeds are idempotent, but a second start should not wait for them.
async fn seed(
    context: &Context,
    operations: &Operations,
    environment: &str,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let caller = context.caller();
    let status = operations.seed_status(Some(environment), &caller).await?;
    if status.iter().all(|seed| seed.state == SeedState::Applied) {
        return Ok(());
    }
    let order = SeedOrder {
        environment: Some(environment.to_owned()),
        service: None,
        reset: false,
        wait_for_lock: WAIT_FOR_LOCK,
        continuation: None,
    };
    let started = stop.run_until_cancelled(operations.start_seeds(order, &caller)).await;
    for run in started.transpose()?.ok_or_else(cancelled)? {
        let environment = run.record().environment;
        match show(context.quiet(), Doing::Seed, &run, stop).await {
            Some(RunEnd::Seed(report)) => context.output.note(format!("{environment}: {}", seeded(&report))),
            Some(RunEnd::Error(error)) => return Err((*error).into()),
            Some(RunEnd::Run(_)) | None => {
                return Err(Failure::other(Exit::Failed, "internal", "the seeding ended without a report", ""));
            }
        }
    }
    Ok(())
}

fn cancelled() -> Failure {
    Failure::other(Exit::Cancelled, "cancelled", "stopped before everything had started", "")
}
