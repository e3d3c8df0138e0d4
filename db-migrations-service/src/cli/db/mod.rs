//! `profe db …`

mod erd;
mod scratch;
mod url;

use clap::Subcommand;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the entity-relationship documents, or check that they are fresh
    ///
    /// They are read from a throwaway database with all migrations; with --environment, from that environment's.
    Erd(erd::Erd),
    /// Make a throwaway database with all migrations, and print its URL
    Scratch(scratch::Scratch),
    /// Print an environment's database URL, with the password
    Url,
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Erd(command) => command.run(context),
            Self::Scratch(command) => command.run(context),
            Self::Url => url::run(context),
        }
    }
}
