//! `profe backup verify`

use clap::Args;
use owo_colors::OwoColorize;

use super::Which;
use super::progress::follow;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{BAD, GOOD, duration};
use crate::operations::VerificationStatus;

/// Arguments.
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    which: Which,
}

impl Verify {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_operations(async |operations| {
            let caller = context.caller();
            let starting = operations.start_verification(&self.which.id, &caller);
            let id = follow(context.output, "verifying", starting).await?;
            let backup = operations.backup(&id, &caller).await?;
            context.output.document(&backup);
            for finding in &backup.verification.findings {
                context.output.line(format!("{} {finding}", "✗".style(BAD)));
            }
            if backup.verification.status != VerificationStatus::Verified {
                context.output.line(format!("{} cannot be restored as it was; make a new one.", backup.backup_id));
                return Ok(Exit::Failed);
            }
            let took = duration(backup.verification.duration_ms.unwrap_or_default());
            let rows = backup.rows.unwrap_or_default();
            context.output.line(format!(
                "{} {} was restored and is equal: definitions and {rows} rows, in {took}.",
                "✓".style(GOOD),
                backup.backup_id
            ));
            Ok(Exit::Ok)
        })
    }
}
