//! `profe fleet run`

use std::time::Duration;

use clap::Args;
use migration_engine::catalogue::{Canary, FailureBudget};
use migration_engine::proof::Override;

use super::follow::follow;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::migrate::{confirm, parse_duration, parse_override};
use crate::operations::{FleetAim, FleetOrder, parse_migration};

/// Arguments.
#[derive(Debug, Args)]
pub struct Run {
    /// The fleet
    #[arg(value_name = "FLEET")]
    fleet: String,
    /// Stop after this migration: SCHEMA/VERSION
    #[arg(long, value_name = "ID")]
    to: Option<String>,
    #[command(flatten)]
    pace: Pace,
    /// Pass by a gate that the environment requires, and say why: hazards="written to at night only"
    #[arg(long = "override", value_name = "GATE=REASON", value_parser = parse_override)]
    overrides: Vec<Override>,
    /// Do not ask, also where the environment is protected
    #[arg(short, long)]
    yes: bool,
}

/// In what portions; the rest is as the catalogue says.
#[derive(Debug, Args)]
pub(super) struct Pace {
    /// How many go first and must all succeed
    #[arg(long, value_name = "N")]
    canary: Option<usize>,
    /// How many between two looks at the failures
    #[arg(long, value_name = "N", value_parser = parse_count)]
    wave: Option<usize>,
    /// How many at once on one server
    #[arg(long, value_name = "N", value_parser = parse_count)]
    per_server: Option<usize>,
    /// How many may fail: a number, or a part of all such as 2%
    #[arg(long, value_name = "N")]
    failure_budget: Option<FailureBudget>,
    /// How long to wait for another runner of a database, for example 30s or 5m
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s")]
    wait: Duration,
    /// Go without the backups that the environment wants first, and say why
    #[arg(long, value_name = "REASON")]
    no_backup: Option<String>,
    /// Take away what live releases still use or need, and say why
    #[arg(long, value_name = "REASON")]
    despite_releases: Option<String>,
}

fn parse_count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "it is a whole number from 1 up".to_owned())
}

impl Pace {
    pub(super) fn order(self, fleet: &str, aim: FleetAim) -> FleetOrder {
        FleetOrder {
            canary: self.canary.map(Canary::First),
            wave: self.wave,
            per_server: self.per_server,
            failure_budget: self.failure_budget,
            wait_for_lock: self.wait,
            no_backup: self.no_backup,
            despite_releases: self.despite_releases,
            ..FleetOrder::of(fleet, aim)
        }
    }
}

impl Run {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_operations(async |operations| {
            let to = self.to.as_deref().map(|text| parse_migration(operations.catalogue(), None, text)).transpose()?;
            let is_protected = operations.is_fleet_protected(&self.fleet);
            if is_protected && !self.yes && context.output.can_ask() {
                confirm(context.output, &self.fleet)?;
            }
            let order = self.pace.order(&self.fleet, FleetAim::Forward { to });
            let order = FleetOrder { overrides: self.overrides, ..order };
            let caller = context.caller();
            follow(context, &operations, operations.start_fleet_run(order, &caller)).await
        })
    }
}
