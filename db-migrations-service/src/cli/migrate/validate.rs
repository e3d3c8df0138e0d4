//! `profe migrate validate`

use clap::Args;
use migration_engine::proof::report::{Gate, Report};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::plan::heading;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{Output, figures, findings, mark, verdict};
use crate::operations::ValidateOrder;

/// Arguments.
#[derive(Debug, Args)]
pub struct Validate {
    /// Only this service, and what its migrations need of others
    #[arg(short, long, value_name = "NAME")]
    service: Option<String>,
    /// All migrations from an empty database on, instead of the pending ones
    #[arg(long)]
    whole: bool,
    /// Only this gate; may be given more than once: parses, stays-home, breaks-no-neighbour, hazards, rehearsed
    #[arg(short, long = "gate", value_name = "GATE")]
    gates: Vec<Gate>,
    /// Rehearse on the rows of the newest backup: restored beside the target, dropped at the end. Shows the figures, too
    #[arg(long, conflicts_with = "whole")]
    with_data: bool,
    /// Also what the rehearsal measured of each statement: time, locks, tables rewritten, WAL
    #[arg(long)]
    figures: bool,
}

impl Validate {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let reports = context.with_operations(async |operations| {
            let stop = stop_on_signals()?;
            let order = ValidateOrder {
                environment: context.environment.clone(),
                service: self.service.clone(),
                whole: self.whole,
                gates: self.gates.clone(),
                with_data: self.with_data,
            };
            Ok(operations.validate_all(order, &context.caller(), &stop).await?)
        })?;
        match reports.as_slice() {
            [only] => context.output.document(only),
            several => context.output.document(&json!({ "databases": several })),
        }
        for report in &reports {
            heading(context.output, &reports, &report.environment);
            print(context.output, report, self.figures || self.with_data);
        }
        Ok(if reports.iter().all(|report| report.passed) { Exit::Ok } else { Exit::Failed })
    }
}

/// Cancelled with Ctrl-C, so that the throwaway database goes too.
pub(in crate::cli) fn stop_on_signals() -> Result<CancellationToken, Failure> {
    runtime::shutdown::on_signals()
        .map_err(|error| Failure::other(Exit::Failed, "runtime", format!("cannot listen for Ctrl-C: {error}"), ""))
}

fn print(output: Output, report: &Report, with_figures: bool) {
    if report.migrations.is_empty() && report.findings.is_empty() {
        output.line("Nothing is pending; `--whole` looks at all migrations.\n");
    }
    if !report.findings.is_empty() {
        output.line(findings(&report.findings) + "\n");
    }
    for proof in &report.migrations {
        output.line(format!("{} {} {}", mark(&proof.findings), proof.migration, proof.name));
        if !proof.findings.is_empty() {
            // Its line says already whose they are.
            let own: Vec<_> = proof
                .findings
                .iter()
                .cloned()
                .map(|mut finding| {
                    finding.migration = None;
                    finding
                })
                .collect();
            output.line(findings(&own) + "\n");
        }
        if let Some(certificate) = proof.certificate.as_ref().filter(|_| with_figures) {
            let forecast_ms = proof.forecast.as_ref().map_or(&[][..], |forecast| &forecast.statement_ms);
            output.line(figures(certificate, forecast_ms));
        }
    }
    // Findings end with an empty line.
    if report.migrations.last().is_some_and(|proof| proof.findings.is_empty()) {
        output.line("");
    }
    output.line(verdict(report));
}
