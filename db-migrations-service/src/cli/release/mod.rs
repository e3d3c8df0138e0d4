//! `profe release …`

mod check;
mod forget;
mod list;

use clap::Subcommand;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show which releases run, and what they need
    List(list::List),
    /// Say whether the schemas fit a release, and wait until they do
    Check(check::Check),
    /// Sign off a process that ended without a word
    Forget(forget::Forget),
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::List(list) => list.run(context),
            Self::Check(check) => check.run(context),
            Self::Forget(forget) => forget.run(context),
        }
    }
}
