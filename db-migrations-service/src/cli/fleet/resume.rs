//! `profe fleet resume`

use clap::Args;
use uuid::Uuid;

use super::follow::follow;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;

/// Arguments.
#[derive(Debug, Args)]
pub struct Resume {
    /// The run; `profe fleet runs` lists them
    #[arg(value_name = "RUN")]
    run: Uuid,
}

impl Resume {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_operations(async |operations| {
            let caller = context.caller();
            follow(context, &operations, operations.resume_fleet_run(self.run, &caller)).await
        })
    }
}
