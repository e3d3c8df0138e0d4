//! `profe webhooks …`

mod list;
mod test;

use clap::Subcommand;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what services were told of their migrations, and what they have still to be told
    List(list::List),
    /// Call the services' webhooks with a test, and say what each answered
    Test(test::Test),
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::List(list) => list.run(context),
            Self::Test(test) => test.run(context),
        }
    }
}
