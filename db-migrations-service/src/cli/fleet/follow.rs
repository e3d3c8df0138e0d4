//! A fleet's run as it goes, and how it ended.

use std::collections::BTreeSet;
use std::time::Duration;

use owo_colors::OwoColorize;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::migrate::stop_on_signals;
use crate::cli::show::{BAD, DIM, GOOD, WARN};
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
    let cures: BTreeSet<&str> = failed
        .iter()
        .filter_map(|target| target.error.as_ref()?["cure"].as_str())
        .filter(|cure| !cure.is_empty())
        .collect();
    for cure in cures {
        context.output.line(format!("  {}", cure.style(DIM)));
    }
    let some_failed = !failed.is_empty();
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
    let parts: Vec<String> = run.counts.iter().map(|(state, n)| format!("{n} {}", state.replace('_', " "))).collect();
    let style = match run.state {
        "completed" if !run.counts.contains_key("failed") => GOOD,
        "stopped" => BAD,
        _ => WARN,
    };
    let why = run.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    format!("{}{why}: {} of {} databases.", run.state.style(style), parts.join(", "), run.targets)
}
