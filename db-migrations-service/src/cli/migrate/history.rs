//! `profe migrate history`

use clap::Args;
use migration_engine::request::HistoryFilter;
use owo_colors::OwoColorize;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{GOOD, WARN, duration, time};
use crate::operations::{HistoryOrder, parse_migration};

/// Arguments.
#[derive(Debug, Args)]
pub struct History {
    /// Only this service
    #[arg(short, long, value_name = "NAME")]
    service: Option<String>,
    /// Only this migration: SCHEMA/VERSION
    #[arg(short, long, value_name = "ID")]
    migration: Option<String>,
    /// At most so many lines, newest first
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// With the SQL as it was applied (JSON only)
    #[arg(long)]
    sql: bool,
}

impl History {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let entries = context.with_operations(async |operations| {
            let (catalogue, service) = (operations.catalogue(), self.service.as_deref());
            let migration =
                self.migration.as_deref().map(|text| parse_migration(catalogue, service, text)).transpose()?;
            let filter = HistoryFilter {
                service: self.service.clone(),
                migration,
                limit: self.limit,
                with_sql: self.sql,
                ..HistoryFilter::default()
            };
            let order = HistoryOrder { environment: context.environment.clone(), filter };
            Ok(operations.history(&order, &context.caller()).await?)
        })?;
        context.output.document(&entries);
        if entries.is_empty() {
            context.output.line("Nothing has happened here yet.");
            return Ok(Exit::Ok);
        }
        let line = |what: String, at, who: &str| {
            context.output.line(format!("    {what} {} UTC by {who}", time(at)));
        };
        for entry in &entries {
            let late = if entry.late { "  late" } else { "" };
            context.output.line(format!("{} {}{late}", entry.migration, entry.name));
            line(
                "applied".style(GOOD).to_string(),
                entry.applied_at,
                &format!("{} in {}", entry.applied_by, duration(entry.duration_ms.max(0) as u64)),
            );
            for hazard in &entry.accepted {
                context.output.line(format!("    {} {}: {}", "accepted".style(WARN), hazard.hazard, hazard.reason));
            }
            if let Some(at) = entry.rolled_back_at {
                line("taken back".style(WARN).to_string(), at, entry.rolled_back_by.as_deref().unwrap_or_default());
            }
        }
        Ok(Exit::Ok)
    }
}
