//! `profe migrate adopt`

use std::time::Duration;

use clap::Args;
use migration_engine::adopt::{AdoptionReport, Order, Wanted};
use migration_engine::{Layout, MigrationId};
use owo_colors::OwoColorize;

use super::{confirm, parse_duration, stop_on_signals};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{DIM, GOOD, Output, WARN, count, duration, findings};
use crate::operations::{AdoptOrder, AdoptionView};

/// Arguments.
#[derive(Debug, Args)]
pub struct Adopt {
    /// The tool: golang-migrate, sqlx, dbmate, goose, flyway, diesel, refinery, prisma, sqitch, numbered
    #[arg(long, value_name = "TOOL", requires = "path")]
    from: Option<Layout>,
    /// Its folder, relative to the project; it stays where it is
    #[arg(long, value_name = "FOLDER", requires = "from")]
    path: Option<String>,
    /// The service of the catalogue that owns what the folder makes
    #[arg(short, long, value_name = "NAME", required_unless_present = "schema")]
    service: Option<String>,
    /// The schema that names without one mean; default: the first one of the service
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// The tool's history table, where it is not the usual one: SCHEMA.TABLE
    #[arg(long, value_name = "TABLE", requires = "from")]
    history_table: Option<String>,
    /// Without a history: everything up to this version of the folder counts as applied, once it is proven
    #[arg(long, value_name = "VERSION")]
    baseline: Option<String>,
    /// Prove it, do it, take it back, and show what it would be
    #[arg(long)]
    dry_run: bool,
    /// How long to wait for a run, for example 30s or 5m
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s")]
    wait: Duration,
    /// Do not ask, also where the environment is protected
    #[arg(short, long)]
    yes: bool,
}

impl Adopt {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut context = context.clone();
        context.to_adopt.clone_from(&self.path);
        let view = context.with_operations(async |operations| {
            let by_schema = || self.schema.as_deref().and_then(|schema| operations.catalogue().owner_of(schema));
            let service = self.service.clone().or_else(|| by_schema().map(|(name, _)| name.to_owned()));
            let service = service.ok_or_else(|| {
                let schema = self.schema.clone().unwrap_or_default();
                Failure::usage(
                    format!("no service of the catalogue owns a schema {schema:?}"),
                    format!("add to config/services.toml: [services.<name>] with schemas = [{schema:?}]"),
                )
            })?;
            let folder = self.from.zip(self.path.clone()).map(|(layout, path)| Wanted {
                layout,
                path,
                schema: self.schema.clone(),
                history: self.history_table.clone(),
            });
            let mut order = AdoptOrder {
                environment: context.environment.clone(),
                service,
                folder,
                baseline: self.baseline.clone(),
                dry_run: self.dry_run,
                confirm: None,
                wait_for_lock: self.wait,
            };
            let entry = operations.environment(context.environment())?;
            if entry.protected && !self.dry_run {
                if !self.yes && context.output.can_ask() {
                    confirm(context.output, &entry.environment)?;
                } else if !self.yes {
                    return Err(Failure::other(
                        Exit::Refused,
                        "confirmation_required",
                        format!(
                            "the environment {:?} is protected, and an adoption changes who owns its objects",
                            entry.environment
                        ),
                        "look at it with --dry-run first, then add --yes",
                    ));
                }
                order.confirm = Some(entry.environment.clone());
            }
            Ok(operations.adopt_folder(order, &context.caller(), stop_on_signals()?).await?)
        })?;
        context.output.document(&view);
        print(context.output, &view);
        Ok(Exit::Ok)
    }
}

fn print(output: Output, view: &AdoptionView) {
    let report = &view.report;
    let table = report.history_table.as_ref().map_or_else(|| "a baseline".to_owned(), Clone::clone);
    let order = match report.order {
        Order::History => ", in the order in which it has applied them",
        Order::Version => "",
    };
    output.line(format!("{} {}/ of {}, by {table}{order}", report.service, report.path, report.layout));
    for one in &report.adopted {
        let when = one.applied_at.map_or_else(String::new, |at| format!(" on {}", at.date()));
        let back = if one.reversible { "" } else { ", no way back" };
        let told = format!("{}{when}, {}{back}", one.applied_by, one.file);
        output.line(format!("  {} {} {}  {}", "✓".style(GOOD), one.migration, one.name, told.style(DIM)));
    }
    if !report.aligned.is_empty() {
        output.line(format!(
            "\nOwners and grants, as the catalogue has them ({}):",
            count(report.aligned.len(), "statement")
        ));
        for statement in &report.aligned {
            let shown = format!("{};", statement.replace(";\n", "; "));
            output.line(format!("  {}", shown.style(DIM)));
        }
    }
    listed(output, "Adopted before", &report.already);
    listed(output, "Rolled back here since it was adopted, and left so", &report.taken_back);
    listed(output, "Pending, for the next run", &report.pending);
    if !report.findings.is_empty() {
        output.line(format!("\n{}", findings(&report.findings)));
    }
    output.line(String::new() + "\n" + &verdict(report));
    if view.catalogue_written {
        output.line(format!("{} config/services.toml:\n\n{}", "wrote".style(GOOD), view.catalogue));
    } else if !view.catalogue_names_it {
        output.line(format!("config/services.toml would have at its end:\n\n{}", view.catalogue));
    }
}

fn listed(output: Output, what: &str, ids: &[MigrationId]) {
    if !ids.is_empty() {
        let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
        output.line(format!("\n{what}: {}", names.join(", ")));
    }
}

fn verdict(report: &AdoptionReport) -> String {
    let (place, took) = (&report.environment, duration(report.duration_ms));
    let what = count(report.adopted.len(), "migration");
    if report.adopted.is_empty() {
        let before = count(report.already.len(), "migration");
        return format!("Nothing to adopt on {place}: {before} adopted before, in {took}.");
    }
    if report.dry_run {
        return format!(
            "{} the files make the live schema; {what} would be adopted on {place}. Nothing was written, in {took}.",
            "Proven:".style(WARN)
        );
    }
    format!("{} {what} on {place}: the files make the live schema, in {took}.", "Adopted".style(GOOD))
}
