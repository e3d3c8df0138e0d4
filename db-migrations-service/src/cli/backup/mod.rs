//! `profe backup …`

mod create;
mod delete;
mod list;
mod progress;
mod prune;
mod restore;
mod verify;

use std::io::{BufRead, Write};

use clap::{Args, Subcommand};

use super::context::Context;
use super::exit::{self, Exit};
use super::failure::Failure;
use super::show::Output;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a backup of a database, or of some services' schemas; Ctrl-C takes it back
    #[command(after_help = exit::HELP)]
    Create(create::Create),
    /// What there is, and whether it was proven restorable
    List(list::List),
    /// Restore a backup into a scratch database and compare; ends with 1 where it is not equal
    #[command(after_help = exit::HELP)]
    Verify(verify::Verify),
    /// Restore a backup: into a new database, in place of what is there, or single tables beside the live ones
    #[command(after_help = exit::HELP)]
    Restore(restore::Restore),
    /// Delete a backup, for good
    Delete(delete::Delete),
    /// Delete what the rules of retention do not keep, and sweep away what never became a backup
    Prune(prune::Prune),
}

/// Which backup.
#[derive(Debug, Args)]
struct Which {
    /// Its id, as `profe backup list` shows it
    #[arg(value_name = "BACKUP")]
    id: String,
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Create(command) => command.run(context),
            Self::List(command) => command.run(context),
            Self::Verify(command) => command.run(context),
            Self::Restore(command) => command.run(context),
            Self::Delete(command) => command.run(context),
            Self::Prune(command) => command.run(context),
        }
    }
}

/// Has the backup's id typed once more, by whom who can be asked.
fn confirm(output: Output, id: &str, what: &str) -> Result<(), Failure> {
    let refused =
        |message: String, cure: &str| Err(Failure::other(Exit::Refused, "confirmation_required", message, cure));
    if !output.can_ask() {
        return refused(format!("{id} {what}, which needs a confirmation"), "add --yes");
    }
    output.note(format!("{id} {what}. Type its id to go on:"));
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && answer.trim() == id {
        return Ok(());
    }
    refused("that is not its id; nothing was done".to_owned(), "")
}
