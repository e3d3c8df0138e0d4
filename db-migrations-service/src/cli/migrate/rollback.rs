//! `profe migrate rollback`

use std::time::Duration;

use clap::Args;
use migration_engine::request::RollbackTo;
use migration_engine::{Plan, Version};
use owo_colors::OwoColorize;

use super::{parse_duration, plan, run};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::follow::{Doing, follow};
use crate::cli::show::{DIM, Output, count};
use crate::operations::{RollbackOrder, parse_migration};

/// Arguments.
#[derive(Debug, Args)]
pub struct Rollback {
    /// Only this service
    #[arg(short, long, value_name = "NAME")]
    service: Option<String>,
    #[command(flatten)]
    how_far: HowFar,
    /// Show the statements, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// How long to wait for another runner, for example 30s or 5m
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s")]
    wait: Duration,
    /// Go without the backup that the environment wants first, and say why
    #[arg(long, value_name = "REASON")]
    no_backup: Option<String>,
    /// Take back what live releases need, and say why
    #[arg(long, value_name = "REASON")]
    despite_releases: Option<String>,
    /// Do not ask, also where the environment is protected
    #[arg(short, long)]
    yes: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct HowFar {
    /// The newest so many
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,
    /// Everything newer than this version; 0 takes back all
    #[arg(long, value_name = "VERSION")]
    to: Option<Version>,
    /// Exactly this one: SCHEMA/VERSION, or a version of the service
    #[arg(short, long, value_name = "ID")]
    migration: Option<String>,
}

impl Rollback {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_operations(async |operations| {
            let to = match (&self.how_far.migration, self.how_far.to, self.how_far.steps) {
                (Some(text), ..) => {
                    RollbackTo::Migration(parse_migration(operations.catalogue(), self.service.as_deref(), text)?)
                }
                (_, Some(version), _) => RollbackTo::Version(version),
                (.., steps) => RollbackTo::Steps(steps.unwrap_or(1) as usize),
            };
            let mut order = RollbackOrder {
                environment: context.environment.clone(),
                service: self.service.clone(),
                to,
                dry_run: self.dry_run,
                confirm: None,
                wait_for_lock: self.wait,
                no_backup: self.no_backup.clone(),
                despite_releases: self.despite_releases.clone(),
                continuation: None,
            };
            let caller = context.caller();
            if self.dry_run {
                let plans = operations.plan_rollbacks(&order, &caller).await?;
                plan::document(context.output, &plans);
                for (name, plan) in &plans {
                    plan::heading(context.output, &plans, name);
                    plan::print(context.output, plan, "would be taken back");
                    offer(context.output, plan);
                }
                return Ok(Exit::Ok);
            }
            let entry = operations.environment(context.environment())?;
            if entry.protected {
                if !self.yes && context.output.can_ask() {
                    run::confirm(context.output, &entry.environment)?;
                } else if !self.yes {
                    return Err(Failure::other(
                        Exit::Refused,
                        "confirmation_required",
                        format!("the environment {:?} is protected, and a rollback can lose data", entry.environment),
                        "look at it with --dry-run first, then add --yes",
                    ));
                }
                order.confirm = Some(entry.environment.clone());
            }
            follow(context.output, Doing::TakeBack, operations.start_rollbacks(order, &caller)).await
        })
    }
}

/// Names the backups of before what is taken back.
pub(in crate::cli) fn offer(output: Output, plan: &Plan) {
    for backup in &plan.backups {
        let what = count(backup.migrations.len(), "migration");
        output.line(format!("{} backup {} is of before {what} of these", "·".style(DIM), backup.backup_id));
        output.line(format!("  {}", format!("to have its data instead: {}", backup.command).style(DIM)));
    }
}
