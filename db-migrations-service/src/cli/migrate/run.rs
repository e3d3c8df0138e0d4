//! `profe migrate run`

use std::io::{BufRead, Write};
use std::time::Duration;

use clap::Args;
use migration_engine::proof::Override;
use migration_engine::proof::report::Gate;
use owo_colors::OwoColorize;

use super::parse_duration;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::follow::{Doing, follow};
use crate::cli::show::{Output, WARN};
use crate::operations::{RunOrder, parse_migration};

/// Arguments.
#[derive(Debug, Args)]
pub struct Run {
    /// Only this service, and what its migrations need of others
    #[arg(short, long, value_name = "NAME")]
    service: Option<String>,
    /// Stop after this migration: SCHEMA/VERSION, or a version of the service
    #[arg(long, value_name = "ID")]
    to: Option<String>,
    /// Execute everything in a transaction and take it back
    #[arg(long = "dry-run")]
    rehearse: bool,
    /// How long to wait for another runner, for example 30s or 5m
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s")]
    wait: Duration,
    /// Pass by a gate that the environment requires, and say why: hazards="written to at night only"
    #[arg(long = "override", value_name = "GATE=REASON", value_parser = parse_override)]
    overrides: Vec<Override>,
    /// Go without the backup that the environment wants first, and say why
    #[arg(long, value_name = "REASON")]
    no_backup: Option<String>,
    /// Take away what live releases still use, and say why
    #[arg(long, value_name = "REASON")]
    despite_releases: Option<String>,
    /// Do not ask, also where the environment is protected
    #[arg(short, long)]
    yes: bool,
}

impl Run {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_operations(async |operations| {
            let service = self.service.as_deref();
            let to =
                self.to.as_deref().map(|text| parse_migration(operations.catalogue(), service, text)).transpose()?;
            let entry = operations.environment(context.environment())?;
            if entry.protected && !self.rehearse && !self.yes && context.output.can_ask() {
                confirm(context.output, &entry.environment)?;
            }
            let order = RunOrder {
                environment: context.environment.clone(),
                service: self.service.clone(),
                to,
                dry_run: self.rehearse,
                wait_for_lock: self.wait,
                overrides: self.overrides,
                no_backup: self.no_backup,
                despite_releases: self.despite_releases,
                continuation: None,
            };
            follow(context.output, Doing::Apply, operations.start_runs(order, &context.caller())).await
        })
    }
}

/// `<gate>=<reason>`
pub(in crate::cli) fn parse_override(text: &str) -> Result<Override, String> {
    let (gate, reason) = text.split_once('=').unwrap_or((text, ""));
    let gate: Gate = gate.trim().parse()?;
    if reason.trim().is_empty() {
        return Err(format!("it needs its reason: {gate}=\"why it may be passed by this time\""));
    }
    Ok(Override { gate, reason: reason.trim().to_owned() })
}

/// Asks for the environment's name.
pub(in crate::cli) fn confirm(output: Output, environment: &str) -> Result<(), Failure> {
    output.note(format!("{} is {}. Type its name to go on:", environment, "protected".style(WARN)));
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && answer.trim() == environment {
        return Ok(());
    }
    Err(Failure::other(Exit::Refused, "confirmation_required", "that is not its name; nothing was done", ""))
}
