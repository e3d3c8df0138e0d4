//! `profe db diff`

use clap::Args;
use migration_engine::proof::drift::DriftReport;
use owo_colors::OwoColorize;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::migrate::{heading, stop_on_signals};
use crate::cli::several::{asked, missing};
use crate::cli::show::{BAD, BOLD, DIM, GOOD, Output, WARN, count, duration};
use crate::operations::Spread;

/// Arguments.
#[derive(Debug, Args)]
pub struct Diff {
    /// Only this service's schemas
    #[arg(short, long, value_name = "NAME")]
    service: Option<String>,
}

impl Diff {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let compared = read(context, self.service.as_deref())?;
        if show(context.output, &compared) {
            return Ok(missing(context.output, &compared.unavailable));
        }
        context.output.line(
            "\nAdopt it as a migration: profe db drift --write-migration <schema> <intent>\n\
             Undo it:                 profe db drift --undo",
        );
        missing(context.output, &compared.unavailable);
        Ok(Exit::Failed)
    }
}

/// Holds the live schemas against what their history makes, database by database.
pub(super) fn read(context: &Context, service: Option<&str>) -> Result<Spread<DriftReport>, Failure> {
    context.with_operations(async |operations| {
        let stop = stop_on_signals()?;
        Ok(operations.drifts(context.environment(), service, &context.caller(), &stop).await?)
    })
}

/// Shows them all, and answers whether nothing differs in those that could be compared.
pub(super) fn show(output: Output, compared: &Spread<DriftReport>) -> bool {
    let reports: Vec<&DriftReport> = compared.answers.iter().map(|(_, report)| report).collect();
    match reports.as_slice() {
        [only] if !compared.is_several() => output.document(only),
        several => output.document(&json!({ "databases": several, "unavailable": compared.unavailable })),
    }
    for report in &reports {
        heading(output, &asked(compared), &report.environment);
        print(output, report);
    }
    reports.iter().all(|report| report.agrees)
}

/// What differs, schema by schema.
fn print(output: Output, report: &DriftReport) {
    if !report.prepared {
        let note = "the catalogue changed since the last run, which will bring roles and grants in line";
        output.line(format!("{} {note}", "!".style(WARN)));
    }
    for schema in &report.schemas {
        let (mark, prints) = if schema.agrees {
            ("✓".style(GOOD), short(schema.live))
        } else {
            ("✗".style(BAD), format!("expected {}, live {}", short(schema.expected), short(schema.live)))
        };
        output.line(format!("{mark} {}  {}", schema.schema.style(BOLD), prints.style(DIM)));
        let of_it = |name: Option<&str>| name == Some(&schema.schema);
        for drifted in report.differences.iter().filter(|d| of_it(d.difference.object.schema.as_deref())) {
            output.line(format!("    {}", drifted.words));
        }
    }
    let took = duration(report.duration_ms);
    output.line(match report.differences.len() {
        0 => format!("\n{} in {took}.", "The live schemas are what their history makes,".style(GOOD)),
        n => format!("\n{} from expected to live, in {took}.", count(n, "difference").style(BAD)),
    });
}

/// As much of a fingerprint as a person compares.
fn short(fingerprint: Option<impl std::fmt::Display>) -> String {
    fingerprint.map_or_else(|| "not there".to_owned(), |print| print.to_string().chars().take(12).collect())
}
