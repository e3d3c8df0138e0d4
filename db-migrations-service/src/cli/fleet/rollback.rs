//! `profe fleet rollback`

use clap::Args;
use migration_engine::Version;

use super::follow::follow;
use super::run::Pace;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::migrate::confirm;
use crate::operations::{FleetAim, FleetOrder, parse_migration};

/// Arguments.
#[derive(Debug, Args)]
pub struct Rollback {
    /// The fleet
    #[arg(value_name = "FLEET")]
    fleet: String,
    #[command(flatten)]
    how_far: HowFar,
    #[command(flatten)]
    pace: Pace,
    /// Do not ask, also where the environment is protected
    #[arg(short, long)]
    yes: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct HowFar {
    /// The newest so many of each database
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,
    /// Everything newer than this version; 0 takes back all
    #[arg(long, value_name = "VERSION")]
    to: Option<Version>,
    /// Exactly this one: SCHEMA/VERSION
    #[arg(short, long, value_name = "ID")]
    migration: Option<String>,
}

impl Rollback {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_operations(async |operations| {
            let aim = match (&self.how_far.migration, self.how_far.to, self.how_far.steps) {
                (Some(text), ..) => FleetAim::Migration(parse_migration(operations.catalogue(), None, text)?),
                (_, Some(version), _) => FleetAim::Version(version),
                (.., steps) => FleetAim::Steps(steps.unwrap_or(1) as usize),
            };
            if operations.is_fleet_protected(&self.fleet) && !self.yes {
                if !context.output.can_ask() {
                    return Err(Failure::other(
                        Exit::Refused,
                        "confirmation_required",
                        format!(
                            "the fleet {:?} is of a protected environment, and a rollback can lose data",
                            self.fleet
                        ),
                        "look at its status first, then add --yes",
                    ));
                }
                confirm(context.output, &self.fleet)?;
            }
            let order = self.pace.order(&self.fleet, aim);
            let order = FleetOrder { confirm: Some(self.fleet.clone()), ..order };
            let caller = context.caller();
            follow(context, &operations, operations.start_fleet_run(order, &caller)).await
        })
    }
}
