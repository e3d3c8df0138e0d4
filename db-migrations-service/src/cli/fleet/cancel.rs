//! `profe fleet cancel`

use clap::Args;
use uuid::Uuid;

use super::follow::sentence;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;

/// Arguments.
#[derive(Debug, Args)]
pub struct Cancel {
    /// The run; `profe fleet runs` lists them
    #[arg(value_name = "RUN")]
    run: Uuid,
}

impl Cancel {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let run = context
            .with_operations(async |operations| Ok(operations.cancel_fleet_run(self.run, &context.caller()).await?))?;
        context.output.document(&run);
        context.output.line(sentence(&run));
        if run.state == "running" {
            context.output.line("It was asked to stop, and has not yet: what is in hand is taken back first.");
            return Ok(Exit::Busy);
        }
        context.output.line(format!("To go on: profe fleet resume {}", run.run_id));
        Ok(Exit::Ok)
    }
}
