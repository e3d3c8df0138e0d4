//! `profe fleet plan`

use clap::Args;
use owo_colors::OwoColorize;

use super::follow::cures;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{BAD, BOLD, DIM, GOOD};
use crate::operations::{FleetAim, FleetPlan};

/// Arguments.
#[derive(Debug, Args)]
pub struct Plan {
    /// The fleet
    #[arg(value_name = "FLEET")]
    fleet: String,
}

impl Plan {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let plan = context.with_operations(async |operations| {
            Ok(operations.fleet_plan(&self.fleet, &FleetAim::Forward { to: None }, &context.caller()).await?)
        })?;
        context.output.document(&plan);
        print(context, &plan);
        if !plan.problems.is_empty() {
            return Ok(Exit::Failed);
        }
        Ok(if plan.groups.iter().all(|group| group.is_empty) { Exit::Ok } else { Exit::Pending })
    }
}

fn print(context: &Context, plan: &FleetPlan) {
    let output = context.output;
    for group in &plan.groups {
        let of = format!("{} of {} databases", group.targets, plan.targets);
        let named = group.databases.first().cloned().unwrap_or_default();
        let more = if group.targets > 1 { format!("{named}, …") } else { named };
        output.line(format!("{}  {}", of.style(BOLD), more.style(DIM)));
        if group.is_empty {
            output.line(format!("  {}", "nothing to do".style(GOOD)));
        }
        if group.plan["preparesTarget"] == true {
            output.line(format!("  {}", "roles, schemas and grants of the catalogue".style(DIM)));
        }
        for migration in group.plan["migrations"].as_array().into_iter().flatten() {
            let word = |member: &str| migration[member].as_str().unwrap_or_default().to_owned();
            output.line(format!("  {} {}", word("migration"), word("name")));
        }
        for note in group.plan["notes"].as_array().into_iter().flatten().filter_map(|note| note.as_str()) {
            output.line(format!("  {}", note.style(DIM)));
        }
    }
    for problem in &plan.problems {
        let (name, why) = (&problem["name"], &problem["error"]["message"]);
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        output.line(format!("{} {}: {}", "✗".style(BAD), text(name), text(why)));
    }
    for cure in cures(plan.problems.iter().map(|problem| &problem["error"])) {
        output.line(format!("  {}", cure.style(DIM)));
    }
}
