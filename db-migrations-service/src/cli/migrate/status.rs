//! `profe migrate status`

use clap::Args;
use migration_engine::status::{BackfillStatus, MigrationState, TargetStatus};
use owo_colors::OwoColorize;
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::several::missing;
use crate::cli::show::{BAD, BOLD, DIM, GOOD, Table, Tone, WARN, count, state_style, time};
use crate::operations::{EnvironmentStatus, Overall, ServiceState, Spread};

/// Lines about single migrations, unless all are asked for.
const LISTED: usize = 20;

/// Arguments.
#[derive(Debug, Args)]
pub struct Status {
    /// Only this service
    #[arg(short, long, value_name = "NAME")]
    service: Option<String>,
    /// List every migration, also those that are applied
    #[arg(short, long)]
    all: bool,
    /// End with code 3 when something is pending
    #[arg(long)]
    exit_code: bool,
}

impl Status {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut spread = context.with_operations(async |operations| {
            if let Some(name) = &self.service {
                operations.catalogue().service(name)?;
            }
            Ok(operations.target_statuses(context.environment(), self.service.as_deref(), &context.caller()).await?)
        })?;
        if let Some(name) = &self.service {
            for (_, status) in &mut spread.answers {
                status.services.retain(|service| service.name == *name);
            }
        }
        let several = spread.is_several();
        let Spread { answers, unavailable, .. } = spread;
        let statuses: Vec<TargetStatus> = answers.into_iter().map(|(_, status)| status).collect();
        let summaries: Vec<_> = statuses.iter().map(EnvironmentStatus::from).collect();
        if context.output.is_json() {
            let documents = statuses.iter().zip(&summaries).map(|(status, summary)| document(status, summary));
            match documents.collect::<Vec<_>>().as_slice() {
                [only] if !several => context.output.document(only),
                all => context.output.document(&json!({ "databases": all, "unavailable": unavailable })),
            }
        } else {
            for (at, (status, summary)) in statuses.iter().zip(&summaries).enumerate() {
                if at > 0 {
                    context.output.line("");
                }
                self.print(context, status, summary);
            }
        }
        let missing = missing(context.output, &unavailable);
        let mut services = summaries.iter().flat_map(|summary| &summary.services);
        let pending = services.any(|service| service.pending_migrations > 0);
        Ok(if self.exit_code && pending { Exit::Pending } else { missing })
    }

    fn print(&self, context: &Context, status: &TargetStatus, summary: &EnvironmentStatus) {
        let output = context.output;
        let version = match status.server_version_num {
            0 => "not created yet".to_owned(),
            number => format!("PostgreSQL {}.{}", number / 10_000, number % 10_000),
        };
        output.line(format!("{} · {} · {version}\n", status.environment.style(BOLD), status.database));
        let mut table = Table::new(&["SERVICE", "STATE", "APPLIED", "PENDING", "LAST APPLIED"]).right(&[2, 3]);
        for service in &summary.services {
            let (word, tone) = state(service.status);
            // The intent would not fit on 80 columns; `--all` shows it.
            let last = service.last_migration.as_deref().map_or("–", |name| name.split('_').next().unwrap_or(name));
            table.row([
                (service.name.clone(), None),
                (word.to_owned(), Some(tone)),
                (service.applied_migrations.to_string(), None),
                (service.pending_migrations.to_string(), (service.pending_migrations > 0).then_some(Tone::Warn)),
                (last.to_owned(), None),
            ]);
        }
        output.line(table.to_string());
        let migrations = status.services.iter().flat_map(|service| &service.migrations);
        let shown: Vec<_> = migrations.filter(|m| self.all || m.state != MigrationState::Applied).collect();
        let limit = if self.all { usize::MAX } else { LISTED };
        if !shown.is_empty() {
            output.line("");
        }
        for migration in shown.iter().take(limit) {
            let (word, style) = state_style(migration.state);
            let when = migration.applied_at.map(|at| format!("  {}", time(at))).unwrap_or_default();
            output.line(format!(
                "{:<11} {} {}{}",
                word.style(style),
                migration.migration,
                migration.name,
                when.style(DIM)
            ));
            for backfill in &migration.backfills {
                output.line(format!("            {}", backfill_line(backfill)));
            }
            if let Some(error) = &migration.error {
                output.line(format!("            {}", error.message));
            }
        }
        if shown.len() > limit {
            output.line(format!("… and {} more; `--all` lists them", shown.len() - limit));
        }
        output.line(format!("\n{}", sentence(summary)));
        if let Some(off) = &status.audit_off {
            output.line(format!("{} {off}.", "Note:".style(WARN)));
        }
    }
}

/// How far a backfill has come, and what it waits for.
fn backfill_line(backfill: &BackfillStatus) -> String {
    let BackfillStatus { relation, rows_done, rows_estimated, waits_for, .. } = backfill;
    let done = if backfill.is_filled {
        format!("{relation} is filled ({rows_done} rows)")
    } else {
        format!("{relation}: {rows_done} of about {rows_estimated} rows are filled")
    };
    match waits_for {
        Some(why) if backfill.is_filled => format!("{done}; waiting for the contract: {why}"),
        Some(why) => format!("{done}; pausing: {why}"),
        None => format!("{done}; the next run goes on"),
    }
}

fn document(status: &TargetStatus, summary: &EnvironmentStatus) -> Value {
    let mut document = serde_json::to_value(summary).unwrap_or_default();
    document["migrations"] = json!(status.services.iter().flat_map(|s| &s.migrations).collect::<Vec<_>>());
    document
}

fn sentence(summary: &EnvironmentStatus) -> String {
    let sum = |f: fn(&crate::operations::ServiceSummary) -> usize| summary.services.iter().map(f).sum::<usize>();
    let pending = sum(|s| s.pending_migrations);
    match summary.overall_status {
        Overall::Healthy => {
            format!("{}: {}.", "Up to date".style(GOOD), count(sum(|s| s.applied_migrations), "migration"))
        }
        Overall::Pending => {
            format!(
                "{}. `profe migrate plan` shows the order, `profe migrate run` applies them.",
                format!("{} pending", count(pending, "migration")).style(WARN)
            )
        }
        Overall::Degraded | Overall::Unavailable => {
            let edited = sum(|s| s.edited_migrations);
            let missing = sum(|s| s.missing_migrations);
            let failed = sum(|s| s.failed_migrations);
            let mut parts = Vec::new();
            for (n, what) in [(pending, "pending"), (edited, "edited"), (missing, "missing"), (failed, "failed")] {
                if n > 0 {
                    parts.push(format!("{n} {what}"));
                }
            }
            let cure = if edited > 0 {
                " Restore the files, or accept one with `profe migrate repair bless <schema/version> --reason …`."
            } else {
                ""
            };
            format!("{}: {}.{cure}", "Needs a look".style(BAD), parts.join(", "))
        }
    }
}

fn state(state: ServiceState) -> (&'static str, Tone) {
    match state {
        ServiceState::UpToDate => ("up to date", Tone::Good),
        ServiceState::Pending => ("pending", Tone::Warn),
        ServiceState::Missing => ("missing", Tone::Bad),
        ServiceState::Interrupted => ("interrupted", Tone::Bad),
        ServiceState::Edited => ("edited", Tone::Bad),
        ServiceState::Failed => ("failed", Tone::Bad),
    }
}
