//! `profe seeds …`

use std::time::Duration;

use clap::{Args, Subcommand};
use migration_engine::status::{SeedState, SeedStatus};

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::follow::{Doing, follow};
use super::show::{Table, Tone, time};
use crate::operations::SeedOrder;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the seeds that fit the environment; running them again changes nothing
    Run(Which),
    /// Which seeds ran here
    Status,
    /// Empty the tables and seed them again; refused where the environment is protected
    Reset(Reset),
}

/// Which seeds.
#[derive(Debug, Args)]
pub struct Which {
    /// Only this service
    #[arg(short, long, value_name = "NAME")]
    service: Option<String>,
}

/// Arguments.
#[derive(Debug, Args)]
pub struct Reset {
    #[command(flatten)]
    which: Which,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Status => status(context),
            Self::Run(which) => seed(context, &which, false),
            Self::Reset(reset) if reset.yes || !context.output.can_ask() => seed(context, &reset.which, true),
            Self::Reset(reset) => {
                let project = context.project()?;
                let name = context.environment().unwrap_or(project.catalogue.default_environment()).to_owned();
                context.output.note(format!("This empties the tables of {name}."));
                super::migrate::confirm(context.output, &name)?;
                seed(context, &reset.which, true)
            }
        }
    }
}

fn seed(context: &Context, which: &Which, reset: bool) -> Result<Exit, Failure> {
    context.with_operations(async |operations| {
        let order = SeedOrder {
            environment: context.environment.clone(),
            service: which.service.clone(),
            reset,
            wait_for_lock: Duration::ZERO,
            continuation: None,
        };
        follow(context.output, Doing::Seed, operations.start_seeds(order, &context.caller())).await
    })
}

fn status(context: &Context) -> Result<Exit, Failure> {
    let seeds = context.with_operations(async |operations| {
        Ok(operations.seed_status(context.environment(), &context.caller()).await?)
    })?;
    context.output.document(&seeds);
    if seeds.is_empty() {
        context.output.line("No seeds fit this environment.");
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["SEED", "STATE", "RUN AT (UTC)", "BY"]);
    for seed in &seeds {
        table.row(row(seed));
    }
    context.output.line(table.to_string());
    Ok(Exit::Ok)
}

fn row(seed: &SeedStatus) -> [(String, Option<Tone>); 4] {
    let (word, tone) = match seed.state {
        SeedState::Applied => ("applied", Tone::Good),
        SeedState::Pending => ("pending", Tone::Warn),
        SeedState::Changed => ("changed", Tone::Warn),
    };
    [
        (format!("{}/{}", seed.schema, seed.name), None),
        (word.to_owned(), Some(tone)),
        (seed.applied_at.map(time).unwrap_or_default(), None),
        (seed.applied_by.clone().unwrap_or_default(), Some(Tone::Dim)),
    ]
}
