//! `profe fleet runs`

use clap::Args;
use owo_colors::OwoColorize;
use serde_json::json;
use uuid::Uuid;

use super::follow::{cures, sentence, word};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{GOOD, Table, Tone, time};
use crate::master::fleets::FleetTargetState;

/// All databases of a run.
const ALL: u32 = 100_000;

/// Arguments.
#[derive(Debug, Args)]
pub struct Runs {
    /// Only of this fleet
    #[arg(short, long, value_name = "FLEET", conflicts_with = "run")]
    fleet: Option<String>,
    /// What became of each database of this run
    #[arg(value_name = "RUN")]
    run: Option<Uuid>,
    /// At most so many runs, newest first
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: u32,
}

impl Runs {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self.run {
            Some(id) => one(context, id),
            None => self.all(context),
        }
    }

    fn all(&self, context: &Context) -> Result<Exit, Failure> {
        let runs = context.with_operations(async |operations| {
            Ok(operations.fleet_runs(self.fleet.as_deref(), None, self.limit, &context.caller()).await?)
        })?;
        context.output.document(&runs);
        if runs.is_empty() {
            context.output.line(match &self.fleet {
                Some(fleet) => format!("The fleet {fleet:?} was never run."),
                None => "No fleet was ever run.".to_owned(),
            });
        }
        for run in &runs {
            context.output.line(format!("{} {} {} {} UTC", run.run_id, run.fleet, run.kind, time(run.started_at)));
            context.output.line(format!("    {}", sentence(run)));
        }
        Ok(Exit::Ok)
    }
}

fn one(context: &Context, id: Uuid) -> Result<Exit, Failure> {
    let (run, targets) = context.with_operations(async |operations| {
        let caller = context.caller();
        let run = operations.fleet_run(id, &caller).await?;
        Ok((run, operations.fleet_run_targets(id, None, None, ALL, &caller).await?))
    })?;
    context.output.document(&json!({ "run": run, "targets": targets }));
    let mut table = Table::new(&["DATABASE", "WAVE", "STATE", "AT, OR WHY"]).right(&[1]);
    for target in &targets {
        let tone = match target.state {
            FleetTargetState::Applied | FleetTargetState::RolledBack => Tone::Good,
            FleetTargetState::Failed => Tone::Bad,
            FleetTargetState::Running => Tone::Warn,
            FleetTargetState::Pending | FleetTargetState::Skipped => Tone::Dim,
        };
        let why = target.error.as_ref().and_then(|error| error["message"].as_str()).map(str::to_owned);
        table.row([
            (target.name.clone(), None),
            (if target.wave == 0 { "first".to_owned() } else { target.wave.to_string() }, None),
            (word(target.state).to_owned(), Some(tone)),
            (why.or_else(|| target.version.clone()).unwrap_or_default(), None),
        ]);
    }
    context.output.line(table.to_string());
    for cure in cures(targets.iter().filter_map(|target| target.error.as_ref())) {
        context.output.line(format!("{}: {cure}", "help".style(GOOD)));
    }
    context.output.line(sentence(&run));
    Ok(Exit::Ok)
}
