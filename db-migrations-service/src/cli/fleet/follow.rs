//! A fleet's run as it goes, and how it ended.

use std::collections::BTreeSet;
use std::time::Duration;

use owo_colors::OwoColorize;
use serde_json::Value;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::migrate::stop_on_signals;
use crate::cli::show::{BAD, DIM, GOOD, WARN, count};
use crate::master::fleets::FleetTargetState;
use crate::operations::{FleetHandle, FleetRunView, OperationError, Operations};

/// Between two lines that say how far it is.
const TELL_EVERY: Duration = Duration::from_secs(2);
/// So many databases that failed are named.
const NAMED: u32 = 10;

/// Starts a run, shows it to its end, and says how it ended. Ctrl-C stops it in good order.
pub(super) async fn follow(
    context: &Context,
    operations: &Operations,
    starting: impl Future<Output = Result<FleetHandle, OperationError>>,
) -> Result<Exit, Failure> {
    let stop = stop_on_signals()?;
    let Some(handle) = stop.run_until_cancelled(starting).await.transpose()? else {
        return Err(Failure::other(Exit::Cancelled, "cancelled", "cancelled before anything was done", ""));
    };
    let caller = context.caller();
    let mut stopped = false;
    loop {
        tokio::select! {
            () = handle.finished() => break,
            () = stop.cancelled(), if !stopped => {
                stopped = true;
                context.output.note("stopping: what is in hand is taken back".style(WARN).to_string());
                handle.cancel();
            }
            () = tokio::time::sleep(TELL_EVERY) => {
                if let Ok(run) = operations.fleet_run(handle.run(), &caller).await {
                    context.output.note(format!("{} of {}", run.done, run.targets).style(DIM).to_string());
                }
            }
        }
    }
    let run = operations.fleet_run(handle.run(), &caller).await?;
    let failed = operations.fleet_run_targets(run.run_id, Some(FleetTargetState::Failed), None, NAMED, &caller).await?;
    context.output.document(&run);
    for target in &failed {
        let why = target.error.as_ref().and_then(|error| error["message"].as_str()).unwrap_or_default();
        context.output.line(format!("{} {}: {why}", "✗".style(BAD), target.name));
    }
    for cure in cures(failed.iter().filter_map(|target| target.error.as_ref())) {
        context.output.line(format!("  {}", cure.style(DIM)));
    }
    let some_failed = !failed.is_empty();
    let more = run.counts.get("failed").map_or(0, |failed| failed - i64::from(NAMED));
    if more > 0 {
        context.output.line(format!("  and {more} more: profe fleet runs {}", run.run_id));
    }
    context.output.line(sentence(&run));
    if run.state != "completed" || some_failed {
        context.output.line(format!("To go on: profe fleet resume {}", run.run_id));
    }
    Ok(match run.state {
        "completed" if !some_failed => Exit::Ok,
        "cancelled" => Exit::Cancelled,
        _ => Exit::Failed,
    })
}

/// How a run stands, in one sentence.
pub(super) fn sentence(run: &FleetRunView) -> String {
    let counted = FleetTargetState::ALL.into_iter().filter_map(|state| Some((state, run.counts.get(state.as_str())?)));
    let parts: Vec<String> = counted.map(|(state, n)| format!("{n} {}", word(state))).collect();
    let style = match run.state {
        "completed" if !run.counts.contains_key("failed") => GOOD,
        "stopped" => BAD,
        _ => WARN,
    };
    let why = run.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    let databases = count(usize::try_from(run.targets).unwrap_or_default(), "database");
    format!("{}{why}, {databases}: {}.", run.state.style(style), parts.join(", "))
}

/// How a database stands, in words.
pub(super) fn word(state: FleetTargetState) -> &'static str {
    match state {
        FleetTargetState::Pending => "pending",
        FleetTargetState::Running => "running",
        FleetTargetState::Applied => "applied",
        FleetTargetState::RolledBack => "rolled back",
        FleetTargetState::Skipped => "with nothing to do",
        FleetTargetState::Failed => "failed",
    }
}

/// What to do about what failed, each said once.
pub(super) fn cures<'a>(errors: impl Iterator<Item = &'a Value>) -> BTreeSet<&'a str> {
    errors.filter_map(|error| error["cure"].as_str()).filter(|cure| !cure.is_empty()).collect()
}
