//! `profe backup verify`

use clap::Args;
use owo_colors::OwoColorize;

use super::Which;
use super::progress::follow;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{BAD, GOOD, Output, duration};
use crate::operations::{BackupView, Operations, VerificationStatus};

/// Arguments.
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    which: Which,
}

impl Verify {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_operations(async |operations| {
            let backup = verified(context, &operations, &self.which.id).await?;
            context.output.document(&backup);
            Ok(told(context.output, &backup))
        })
    }
}

/// Verifies a backup, and shows how far it has come.
pub(super) async fn verified(context: &Context, operations: &Operations, id: &str) -> Result<BackupView, Failure> {
    let caller = context.caller();
    let id = follow(context.output, "verifying", operations.start_verification(id, &caller)).await?;
    Ok(operations.backup(&id, &caller).await?)
}

/// Says what the verification has shown.
pub(super) fn told(output: Output, backup: &BackupView) -> Exit {
    for finding in &backup.verification.findings {
        output.line(format!("{} {finding}", "✗".style(BAD)));
    }
    if backup.verification.status != VerificationStatus::Verified {
        output.line(format!("{} cannot be restored as it was; make a new one.", backup.backup_id));
        return Exit::Failed;
    }
    let took = duration(backup.verification.duration_ms.unwrap_or_default());
    let rows = backup.rows.unwrap_or_default();
    output.line(format!(
        "{} {} was restored and is equal: definitions and {rows} rows, in {took}.",
        "✓".style(GOOD),
        backup.backup_id
    ));
    Exit::Ok
}
