//! A run as it goes: lines for people, a moving one on a terminal, events for programs; and how it ended.

use migration_engine::ErrorCode;
use migration_engine::event::Outcome;
use migration_engine::status::{RunReport, SeedReport};
use owo_colors::OwoColorize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::failure::Failure;
use super::scene::Scene;
use super::show::{BAD, BOLD, GOOD, Output, WARN, count, duration};
use crate::operations::{EventLine, OperationError, RunEnd, RunHandle, restore_command};

/// What a run does, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Applying.
    Apply,
    /// Taking back.
    TakeBack,
    /// Seeding.
    Seed,
}

/// Starts a run, shows it to its end, and says how it ended. Ctrl-C stops it in good order.
///
/// # Errors
/// The run did not start, or did not end well.
pub async fn follow(
    output: Output,
    doing: Doing,
    starting: impl Future<Output = Result<Vec<RunHandle>, OperationError>>,
) -> Result<Exit, Failure> {
    let stop = runtime::shutdown::on_signals()
        .map_err(|error| Failure::other(Exit::Failed, "runtime", format!("cannot listen for Ctrl-C: {error}"), ""))?;
    let started = stop.run_until_cancelled(starting).await;
    let Some(runs) = started.transpose().map_err(|error| not_started(error, doing))? else {
        return Err(Failure::other(Exit::Cancelled, "cancelled", "cancelled before anything was done", ""));
    };
    let mut exit = Exit::Ok;
    for run in &runs {
        if runs.len() > 1 {
            let environment = run.record().environment;
            output.json_line(&json!({ "environment": environment }));
            output.line(environment.style(BOLD).to_string());
        }
        exit = follow_one(output, doing, run, &stop).await?;
        if exit != Exit::Ok {
            break;
        }
    }
    Ok(exit)
}

async fn follow_one(output: Output, doing: Doing, run: &RunHandle, stop: &CancellationToken) -> Result<Exit, Failure> {
    if let Some(plan) = run.plan().filter(|_| doing == Doing::TakeBack) {
        super::migrate::offer(output, plan);
    }
    let end = show(output, doing, run, stop).await;
    let record = run.record();
    let begun = matches!(&end, Some(RunEnd::Run(_)));
    let reported = report(output, doing, end, record.dry_run);
    if let (Some(id), Doing::Apply, true, false) = (&record.backup_id, doing, begun, matches!(reported, Ok(Exit::Ok))) {
        output.line(format!("The backup {id} is of before this run: {}", restore_command(id)));
    }
    reported
}

fn not_started(error: OperationError, doing: Doing) -> Failure {
    let mut failure = Failure::from(error);
    if failure.error.code == ErrorCode::Busy && doing != Doing::Seed {
        failure.error.cure = Some("wait for it to finish, or add `--wait 5m` to wait for it here".to_owned());
    }
    failure
}

/// Shows a run until it is over.
pub async fn show(output: Output, doing: Doing, run: &RunHandle, stop: &CancellationToken) -> Option<RunEnd> {
    let mut events = run.follow(0);
    let mut scene = Scene::new(output, doing, run.plan().map_or(0, |plan| plan.migrations.len()));
    let mut stopped = false;
    loop {
        let next = tokio::select! {
            next = events.next() => next,
            () = lasts(scene.due()) => {
                scene.lasts();
                continue;
            }
            () = stop.cancelled(), if !stopped => {
                stopped = true;
                scene.say(&"stopping: what is in hand is taken back".style(WARN).to_string());
                run.cancel();
                continue;
            }
        };
        let Some(events) = next else { break };
        // One thread does all: what the run has just written to the server goes out before this is shown.
        tokio::task::yield_now().await;
        for recorded in events {
            let line = EventLine::from(&*recorded);
            output.json_line(&json!({ "seq": line.seq, "at": rfc3339(line.at), "event": line.event }));
            scene.event(&recorded.event);
        }
    }
    scene.end();
    run.end()
}

/// At `due`; never without.
async fn lasts(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn rfc3339(at: time::OffsetDateTime) -> String {
    at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}

/// Says how it ended: a last line for people, the report for programs.
fn report(output: Output, doing: Doing, end: Option<RunEnd>, dry_run: bool) -> Result<Exit, Failure> {
    match end {
        Some(RunEnd::Run(report)) => {
            output.json_line(&json!({ "report": report }));
            finished(output, doing, *report, dry_run)
        }
        Some(RunEnd::Seed(report)) => {
            output.json_line(&json!({ "report": report }));
            output.line(seeded(&report));
            Ok(Exit::Ok)
        }
        Some(RunEnd::Error(error)) => Err((*error).into()),
        None => Err(Failure::other(Exit::Failed, "internal", "the run ended without a report", "see the log")),
    }
}

fn finished(output: Output, doing: Doing, report: RunReport, dry_run: bool) -> Result<Exit, Failure> {
    for (migration, why) in &report.not_tried {
        output.line(format!("{} {migration} could not be tried: {why}", "!".style(WARN)));
    }
    let done = count(report.done.len(), "migration");
    let verb = if doing == Doing::TakeBack { "taken back" } else { "applied" };
    let part_way = report.error.as_ref().is_some_and(|error| error.left_behind.is_some());
    let stands = if part_way && report.done.is_empty() {
        "one migration is part way.".to_owned()
    } else if report.done.is_empty() || dry_run {
        format!("nothing was {verb}.")
    } else {
        let they_stand = if report.done.len() == 1 { "it stands" } else { "they stand" };
        format!("{done} {verb} before that, and {they_stand}.")
    };
    let took = duration(report.duration_ms);
    match report.outcome {
        Outcome::Completed if report.done.is_empty() => {
            let nothing = match (doing == Doing::TakeBack, report.not_tried.is_empty()) {
                (_, false) => "Nothing else was tried.",
                (true, true) => "Nothing to do: nothing is there to take back.",
                (false, true) => "Nothing to do: everything is applied.",
            };
            output.line(nothing.style(GOOD).to_string());
        }
        Outcome::Completed if dry_run => {
            output.line(format!("{} in {took}; nothing of it stays.", format!("{done} tried").style(GOOD)));
        }
        Outcome::Completed => output.line(format!("{} in {took}.", format!("{done} {verb}").style(GOOD))),
        Outcome::Failed => output.line(format!("{}: {stands}", "Failed".style(BAD))),
        Outcome::Cancelled => output.line(format!("{}: {stands}", "Cancelled".style(WARN))),
    }
    match (report.outcome, report.error) {
        (Outcome::Completed, _) => Ok(Exit::Ok),
        (Outcome::Cancelled, _) => Ok(Exit::Cancelled),
        (Outcome::Failed, Some(error)) if !output.is_json() => Err((*error).into()),
        (Outcome::Failed, error) => Ok(error.map_or(Exit::Failed, |error| error.code.into())),
    }
}

/// What a seeding did, in one sentence.
pub fn seeded(report: &SeedReport) -> String {
    if report.applied.is_empty() {
        return "No seeds fit this environment.".to_owned();
    }
    let files = count(report.applied.len(), "seed file").style(GOOD).to_string();
    format!("{files} run, {} written, in {}.", count(report.rows as usize, "row"), duration(report.duration_ms))
}
