//! `profe backup …`

mod create;
mod delete;
mod list;
mod progress;
mod restore;
mod verify;

use clap::{Args, Subcommand};

use super::context::Context;
use super::exit::{self, Exit};
use super::failure::Failure;

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
    /// Restore a backup into a new database
    #[command(after_help = exit::HELP)]
    Restore(restore::Restore),
    /// Delete a backup, for good
    Delete(delete::Delete),
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
        }
    }
}
