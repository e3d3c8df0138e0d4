//! `profe backup delete`

use clap::Args;
use owo_colors::OwoColorize;

use super::{Which, confirm};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::WARN;

/// Arguments.
#[derive(Debug, Args)]
pub struct Delete {
    #[command(flatten)]
    which: Which,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Delete {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_operations(async |operations| {
            let (id, caller) = (&self.which.id, context.caller());
            // Unknown is the better answer than unconfirmed.
            operations.backup(id, &caller).await?;
            if !self.yes {
                confirm(context.output, id, "will be gone for good")?;
            }
            let backup = operations.delete_backup(id, Some(id), &caller).await?;
            context.output.document(&backup);
            context.output.line(format!("{} {}", "Deleted".style(WARN), backup.backup_id));
            Ok(Exit::Ok)
        })
    }
}
