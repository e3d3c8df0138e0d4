//! `profe fleet …`

mod cancel;
mod follow;
mod list;
mod plan;
mod resume;
mod rollback;
mod run;
mod runs;
mod status;

use clap::Subcommand;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Which fleets the catalogue has
    List,
    /// How many of a fleet's databases stand where
    Status(status::Status),
    /// What a run would do, by plan
    Plan(plan::Plan),
    /// Bring a fleet forward: first a few, then the others in waves
    Run(run::Run),
    /// Go on with a run where it stopped; what failed is tried again
    Resume(resume::Resume),
    /// Stop a run, whoever does it; what is in hand is taken back, what is done stands
    Cancel(cancel::Cancel),
    /// Take a fleet back, in waves
    Rollback(rollback::Rollback),
    /// The runs over fleets, or what became of each database of one
    Runs(runs::Runs),
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::List => list::run(context),
            Self::Status(command) => command.run(context),
            Self::Plan(command) => command.run(context),
            Self::Run(command) => command.run(context),
            Self::Resume(command) => command.run(context),
            Self::Cancel(command) => command.run(context),
            Self::Rollback(command) => command.run(context),
            Self::Runs(command) => command.run(context),
        }
    }
}
