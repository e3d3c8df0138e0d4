//! `profe fleet status`

use clap::Args;
use owo_colors::OwoColorize;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{BAD, BOLD, DIM, GOOD, Table, Tone, WARN, count};
use crate::operations::{FleetStatus, Overall};

/// Arguments.
#[derive(Debug, Args)]
pub struct Status {
    /// The fleet
    #[arg(value_name = "FLEET")]
    fleet: String,
    /// Database by database
    #[arg(long)]
    each: bool,
    /// End with code 3 when something is pending
    #[arg(long)]
    exit_code: bool,
}

impl Status {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let status = context.with_operations(async |operations| {
            Ok(operations.fleet_status(&self.fleet, self.each, &context.caller()).await?)
        })?;
        context.output.document(&status);
        print(context, &status);
        Ok(match status {
            _ if status.unavailable > 0 => Exit::Unavailable,
            _ if self.exit_code && status.pending > 0 => Exit::Pending,
            _ => Exit::Ok,
        })
    }
}

fn print(context: &Context, status: &FleetStatus) {
    let output = context.output;
    output.line(format!(
        "{} · {} · {} · {}\n",
        status.fleet.style(BOLD),
        status.service,
        status.environment,
        count(status.targets, "database")
    ));
    let mut table = Table::new(&["DATABASES", "AT"]).right(&[0]);
    for version in &status.versions {
        let is_newest = version.version == status.newest;
        let at = version.version.clone().unwrap_or_else(|| "nothing applied".to_owned());
        table.row([(version.targets.to_string(), None), (at, is_newest.then_some(Tone::Good))]);
    }
    output.line(table.to_string());
    for database in &status.databases {
        let (word, style) = match database.status {
            Overall::Healthy => ("up to date", GOOD),
            Overall::Pending => ("pending", WARN),
            Overall::Degraded => ("degraded", BAD),
            Overall::Unavailable => ("unavailable", BAD),
        };
        let more = database.problem.clone().or_else(|| database.version.clone()).unwrap_or_default();
        output.line(format!("{:<11} {}  {}", word.style(style), database.name, more.style(DIM)));
    }
    let parts = [
        (status.up_to_date, "up to date", GOOD),
        (status.pending, "pending", WARN),
        (status.degraded, "degraded", BAD),
        (status.unavailable, "unavailable", BAD),
    ];
    let there = parts.into_iter().filter(|(n, ..)| *n > 0);
    let words: Vec<String> = there.map(|(n, word, style)| format!("{n} {word}").style(style).to_string()).collect();
    output.line(format!("\n{}.", words.join(", ")));
    if status.pending > 0 {
        let cure = format!("`profe fleet run {}` brings forward what is pending.", status.fleet);
        output.line(cure.style(DIM).to_string());
    }
    if status.degraded + status.unavailable > 0 && status.databases.is_empty() {
        let which = format!("`profe fleet status {} --each` says which and why.", status.fleet);
        output.line(which.style(DIM).to_string());
    }
}
