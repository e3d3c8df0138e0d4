//! Work on a backup as it goes: a line that moves on a terminal, and Ctrl-C.

use std::future::Future;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::OwoColorize;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::migrate::stop_on_signals;
use crate::cli::show::{Output, WARN, bytes};
use crate::operations::{BackupHandle, OperationError, RestoreStage};

/// How often the line moves.
const TICK: Duration = Duration::from_millis(100);

/// Starts work, shows it to its end, and gives the backup's id. Ctrl-C takes back what was begun.
pub(super) async fn follow(
    output: Output,
    doing: &'static str,
    starting: impl Future<Output = Result<BackupHandle, OperationError>>,
) -> Result<String, Failure> {
    let stop = stop_on_signals()?;
    let Some(job) = stop.run_until_cancelled(starting).await.transpose()? else {
        return Err(Failure::other(Exit::Cancelled, "cancelled", "cancelled before anything was done", ""));
    };
    let line = line(output);
    let mut stopped = false;
    let ended = loop {
        tokio::select! {
            ended = job.finished() => break ended,
            () = stop.cancelled(), if !stopped => {
                stopped = true;
                job.cancel();
                line.suspend(|| output.note("stopping: what was begun is taken back".style(WARN).to_string()));
            }
            () = tokio::time::sleep(TICK) => show(&line, doing, &job),
        }
    };
    line.finish_and_clear();
    ended?;
    Ok(job.id().to_owned())
}

fn line(output: Output) -> ProgressBar {
    let line = if output.is_live() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
        line.set_style(style);
    }
    line
}

/// What is expected is the tables' size at the server, which the stream may exceed.
fn show(line: &ProgressBar, doing: &'static str, job: &BackupHandle) {
    let at = job.progress();
    let of =
        if at.expected_bytes > at.bytes { format!(" of about {}", bytes(at.expected_bytes)) } else { String::new() };
    let tables = if at.expected_tables > 0 {
        format!(", {} of {} tables", at.tables, at.expected_tables)
    } else {
        String::new()
    };
    let doing = job.stage().map_or(doing, stage);
    line.set_message(format!("{doing}: {}{of}{tables}, {} rows", bytes(at.bytes), at.rows));
    line.tick();
}

/// A stage in words.
fn stage(stage: RestoreStage) -> &'static str {
    match stage {
        RestoreStage::SafetyBackup => "backing up what is there",
        RestoreStage::Restoring => "restoring beside",
        RestoreStage::Comparing => "comparing",
        RestoreStage::Copying => "copying into the live database",
        RestoreStage::Swapping => "swapping",
    }
}
