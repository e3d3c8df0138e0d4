//! `profe db …`

mod diff;
mod drift;
mod erd;
mod scratch;
mod url;

use clap::Subcommand;

use super::context::Context;
use super::exit::{self, Exit};
use super::failure::Failure;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the entity-relationship documents, or check that they are fresh
    ///
    /// They are read from a throwaway database with all migrations; with --environment, from that environment's.
    Erd(erd::Erd),
    /// Compare the live schemas with what their history makes
    #[command(after_help = exit::HELP)]
    Diff(diff::Diff),
    /// Turn what differs into a migration, or into the SQL that undoes it
    #[command(after_help = exit::HELP)]
    Drift(drift::Drift),
    /// Make a throwaway database with all migrations, and print its URL
    Scratch(scratch::Scratch),
    /// Print an environment's database URL, with the password
    Url,
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Erd(command) => command.run(context),
            Self::Diff(command) => command.run(context),
            Self::Drift(command) => command.run(context),
            Self::Scratch(command) => command.run(context),
            Self::Url => url::run(context),
        }
    }
}
