//! `profe migrate plan`

use clap::Args;
use migration_engine::plan::PlannedMigration;
use owo_colors::OwoColorize;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{BOLD, DIM, GOOD, Output, WARN, count};

/// Arguments.
#[derive(Debug, Args)]
pub struct Plan {
    /// Only this service, and what its migrations need of others
    #[arg(short, long, value_name = "NAME")]
    service: Option<String>,
    /// Show the SQL too
    #[arg(long)]
    sql: bool,
}

impl Plan {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let plans = context.with_operations(async |operations| {
            let (service, caller) = (self.service.as_deref(), context.caller());
            Ok(operations.plans(context.environment(), service, self.sql, &caller).await?)
        })?;
        document(context.output, &plans);
        for (name, plan) in &plans {
            heading(context.output, &plans, name);
            print(context.output, plan, "would be applied");
        }
        Ok(if plans.iter().all(|(_, plan)| plan.is_empty()) { Exit::Ok } else { Exit::Pending })
    }
}

/// The plan for programs: itself where it is of one database, else by database.
pub(super) fn document(output: Output, plans: &[(String, migration_engine::Plan)]) {
    match plans {
        [(_, only)] => output.document(only),
        several => {
            let parts = several.iter().map(|(name, plan)| json!({ "environment": name, "plan": plan }));
            output.document(&json!({ "databases": parts.collect::<Vec<_>>() }));
        }
    }
}

/// The database's name, where there are several.
pub(in crate::cli) fn heading<T>(output: Output, of: &[T], name: &str) {
    if of.len() > 1 {
        output.line(format!("\n{}", name.style(BOLD)));
    }
}

/// The order, for people.
pub(super) fn print(output: Output, plan: &migration_engine::Plan, would: &str) {
    for note in &plan.notes {
        output.line(format!("{} {note}", "!".style(WARN)));
    }
    if plan.prepares_target {
        output
            .line(format!("{} roles, schemas and grants of the catalogue are brought in place first", "·".style(DIM)));
    }
    if plan.migrations.is_empty() {
        output.line("Nothing to do.".style(GOOD).to_string());
        return;
    }
    let width = plan.migrations.len().to_string().len();
    for (n, planned) in plan.migrations.iter().enumerate() {
        output.line(format!("{:>width$}. {} {}", n + 1, planned.migration, planned.name));
        output.line(format!("{:width$}  {}", "", remarks(planned).style(DIM)));
        if let Some(sql) = &planned.sql {
            for line in sql.trim_end().lines() {
                output.line(format!("{:width$}  | {line}", ""));
            }
        }
    }
    let what = count(plan.migrations.len(), "migration");
    output.line(format!("\n{}.", format!("{what} {would}").style(BOLD)));
}

fn remarks(planned: &PlannedMigration) -> String {
    let mut parts = vec![planned.service.clone(), count(planned.statements, "statement")];
    if !planned.transactional {
        parts.push("not in a transaction".to_owned());
    }
    if planned.late {
        parts.push("late".to_owned());
    }
    if planned.prerequisite {
        parts.push("needed by another service".to_owned());
    }
    if planned.resume_after > 0 {
        parts.push(format!("resumes after statement {}", planned.resume_after));
    }
    // What comes before it in its own schema is plain to see.
    let elsewhere = planned.waits_for.iter().filter(|id| id.schema != planned.migration.schema);
    let waits: Vec<String> = elsewhere.map(ToString::to_string).collect();
    if !waits.is_empty() {
        parts.push(format!("after {}", waits.join(", ")));
    }
    parts.join(" · ")
}
