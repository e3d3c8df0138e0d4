//! `profe alerts …`

mod list;
mod rules;
mod test;

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use migration_engine::catalogue::alerts::AlertRule;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what fires, and what did
    List(list::List),
    /// Send a test alert to everybody who is told of alerts, and say what each answered
    Test(test::Test),
    /// Print the catalogue's rules as a rule file for Prometheus
    Rules(rules::Rules),
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::List(list) => list.run(context),
            Self::Test(test) => test.run(context),
            Self::Rules(rules) => rules.run(context),
        }
    }
}

fn rule_names() -> PossibleValuesParser {
    PossibleValuesParser::new(AlertRule::ALL.map(AlertRule::as_str))
}
