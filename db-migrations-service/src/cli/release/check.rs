//! `profe release check`

use std::time::Duration;

use clap::Args;
use migration_engine::MigrationId;
use migration_engine::catalogue::ReleaseNeeds;
use owo_colors::OwoColorize;
use tokio_util::sync::CancellationToken;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::migrate::parse_duration;
use crate::cli::show::{BAD, GOOD, WARN};
use crate::operations::{CompatibilityOrder, Verdict};

/// Arguments.
#[derive(Debug, Args)]
pub struct Check {
    /// The service
    #[arg(short, long, value_name = "NAME")]
    service: String,
    /// Its release; what it needs stands in the catalogue, unless --needs or --tolerates say it
    #[arg(short, long, value_name = "NAME")]
    release: Option<String>,
    /// A migration that must be applied, with all of its schema before it: SCHEMA/VERSION
    #[arg(long, value_name = "ID")]
    needs: Vec<MigrationId>,
    /// The newest migration of its schema that the release works with
    #[arg(long, value_name = "ID")]
    tolerates: Vec<MigrationId>,
    /// While migrations are pending, wait for them so long, for example 30s or 5m
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s")]
    wait: Duration,
}

impl Check {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let needs = ReleaseNeeds { needs: self.needs, tolerates: self.tolerates };
        let order = CompatibilityOrder {
            environment: context.environment.clone(),
            service: self.service,
            release: self.release,
            needs: Some(needs).filter(|needs| *needs != ReleaseNeeds::default()),
        };
        let shutdown = CancellationToken::new();
        let found = context.with_operations(async |operations| {
            Ok(Box::pin(operations.compatibility(&order, self.wait, &context.caller(), &shutdown)).await?)
        })?;
        context.output.document(&found);
        let word = found.verdict.as_str();
        let (sign, exit) = match found.verdict {
            Verdict::Compatible => ("✓".style(GOOD).to_string(), Exit::Ok),
            Verdict::Wait => ("·".style(WARN).to_string(), Exit::Pending),
            Verdict::Incompatible => ("✗".style(BAD).to_string(), Exit::Refused),
        };
        let why = found.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        context.output.line(format!("{sign} {} on {}: {word}{why}", found.service, found.environment));
        if let Some(cure) = &found.cure {
            context.output.line(format!("  {cure}"));
        }
        Ok(exit)
    }
}
