//! `profe migrate history`

use clap::Args;
use migration_engine::request::HistoryFilter;
use migration_engine::status::HistoryEntry;
use owo_colors::OwoColorize;
use serde_json::json;

use super::plan::heading;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::several::{asked, missing};
use crate::cli::show::{GOOD, WARN, duration, time};
use crate::operations::parse_migration;

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
        let spread = context.with_operations(async |operations| {
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
            let owner = filter.migration.as_ref().and_then(|id| catalogue.owner_of(&id.schema)).map(|(name, _)| name);
            let databases = operations.databases_of(context.environment(), service.or(owner))?;
            Ok(operations.histories(&databases, &filter, &context.caller()).await?)
        })?;
        match spread.answers.as_slice() {
            [(_, (only, _))] if !spread.is_several() => context.output.document(only),
            several => {
                let part = |(name, (entries, _)): &(String, (Vec<HistoryEntry>, i64))| json!({ "environment": name, "history": entries });
                let parts: Vec<_> = several.iter().map(part).collect();
                context.output.document(&json!({ "databases": parts, "unavailable": spread.unavailable }));
            }
        }
        for (name, (entries, _)) in &spread.answers {
            heading(context.output, &asked(&spread), name);
            print(context, entries);
        }
        Ok(missing(context.output, &spread.unavailable))
    }
}

fn print(context: &Context, entries: &[HistoryEntry]) {
    if entries.is_empty() {
        context.output.line("Nothing has happened here yet.");
    }
    let line = |what: String, at, who: &str| {
        context.output.line(format!("    {what} {} UTC by {who}", time(at)));
    };
    for entry in entries {
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
}
