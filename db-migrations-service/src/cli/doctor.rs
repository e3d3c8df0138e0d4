//! `profe doctor`

use clap::Args;
use owo_colors::OwoColorize;
use serde_json::json;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::show::{BAD, BOLD, DIM, GOOD, WARN, count};
use crate::doctor::{Check, Verdict, examine};

/// Arguments: none.
#[derive(Debug, Args)]
pub struct Doctor;

impl Doctor {
    #[expect(clippy::unnecessary_wraps, reason = "as every command")]
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        Ok(self.report(context, true, Vec::new()))
    }

    /// Says what was found here and, by who knows them, in other parts of the program. Where nothing is migrated from here, databases
    /// are not looked at.
    pub fn report(self, context: &Context, migrates_here: bool, others: Vec<Check>) -> Exit {
        let Self = self;
        let mut checks = examine(context, migrates_here);
        checks.extend(others);
        let number = |verdict: Verdict| checks.iter().filter(|check| check.verdict == verdict).count();
        let (errors, warnings) = (number(Verdict::Error), number(Verdict::Warning));
        context.output.document(&json!({ "checks": checks, "errors": errors, "warnings": warnings }));
        let mut area = "";
        for check in &checks {
            if check.area != area {
                area = &check.area;
                context.output.line(area.style(BOLD).to_string());
            }
            print(context, check);
        }
        let sentence = match (errors, warnings) {
            (0, 0) => "Everything is as it should be.".style(GOOD).to_string(),
            (0, n) => format!("{}; nothing stands in the way.", count(n, "warning")).style(WARN).to_string(),
            (n, w) => format!("{}, {}.", count(n, "error"), count(w, "warning")).style(BAD).to_string(),
        };
        context.output.line(format!("\n{sentence}"));
        if errors > 0 { Exit::Failed } else { Exit::Ok }
    }
}

fn print(context: &Context, check: &Check) {
    let (mark, style) = match check.verdict {
        Verdict::Ok => ("✓", GOOD),
        Verdict::Note => ("·", DIM),
        Verdict::Warning => ("!", WARN),
        Verdict::Error => ("✗", BAD),
    };
    context.output.line(format!("  {} {}", mark.style(style), check.message));
    if let Some(cure) = &check.cure {
        context.output.line(format!("    → {}", cure.replace('\n', "\n      ")));
    }
    for statement in &check.statements {
        context.output.line(format!("      {statement}"));
    }
}
