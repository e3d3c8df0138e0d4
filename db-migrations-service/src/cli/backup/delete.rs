//! `profe backup delete`

use std::io::{BufRead, Write};

use clap::Args;
use owo_colors::OwoColorize;

use super::Which;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{Output, WARN};

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
                confirm(context.output, id)?;
            }
            let backup = operations.delete_backup(id, Some(id), &caller).await?;
            context.output.document(&backup);
            context.output.line(format!("{} {}", "Deleted".style(WARN), backup.backup_id));
            Ok(Exit::Ok)
        })
    }
}

fn confirm(output: Output, id: &str) -> Result<(), Failure> {
    let refused =
        |message: String, cure: &str| Err(Failure::other(Exit::Refused, "confirmation_required", message, cure));
    if !output.can_ask() {
        return refused(format!("{id} would be gone for good"), "add --yes");
    }
    output.note(format!("{id} will be gone for good. Type its id to go on:"));
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && answer.trim() == id {
        return Ok(());
    }
    refused("that is not its id; nothing was done".to_owned(), "")
}
