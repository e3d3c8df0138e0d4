//! `profe backup prune`

use std::io::{BufRead, Write};

use clap::Args;
use owo_colors::OwoColorize;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{DIM, Output, WARN, bytes, count};
use crate::operations::{PruneOrder, PruneView, PrunedBackup};

/// Arguments.
#[derive(Debug, Args)]
pub struct Prune {
    /// Show what would be deleted, and which rule keeps the others
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Prune {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_operations(async |operations| {
            let (output, caller) = (context.output, context.caller());
            // What a rule keeps is not told by a clock that may be wrong.
            let now = operations.master().time().await?;
            let mut order = PruneOrder { environment: context.environment.clone(), dry_run: true, confirm: None };
            let look = operations.prune_backups(&order, now, &caller).await?;
            if self.dry_run {
                output.document(&look);
                show(output, &look);
                return Ok(Exit::Ok);
            }
            if !look.deleted.is_empty() && !self.yes {
                let what = count(look.deleted.len(), "backup");
                output.note(look.deleted.iter().map(line).collect::<Vec<_>>().join("\n"));
                confirm(output, &what)?;
            }
            order.dry_run = false;
            order.confirm = Some(order.environment.clone().unwrap_or_else(|| "all".to_owned()));
            let done = operations.prune_backups(&order, now, &caller).await?;
            output.document(&done);
            show(output, &done);
            Ok(Exit::Ok)
        })
    }
}

fn show(output: Output, view: &PruneView) {
    for backup in &view.deleted {
        output.line(line(backup).style(WARN).to_string());
    }
    for backup in &view.kept {
        output.line(format!("{} {}", backup.backup_id, format!("stays: {}", backup.why).style(DIM)));
    }
    let freed: u64 = view.deleted.iter().map(|backup| backup.size).sum();
    let (what, would) =
        (count(view.deleted.len(), "backup"), if view.dry_run { "would be deleted" } else { "deleted" });
    output.line(format!("{what} {would}, {}; {} kept.", bytes(freed), view.kept.len()));
    let swept = view.swept_folders + view.swept_temporaries;
    if swept > 0 {
        output.line(format!("{swept} leftovers of writers that died were removed."));
    }
}

fn line(backup: &PrunedBackup) -> String {
    format!("{} goes: {}", backup.backup_id, backup.why)
}

fn confirm(output: Output, what: &str) -> Result<(), Failure> {
    let refused =
        |message: String, cure: &str| Err(Failure::other(Exit::Refused, "confirmation_required", message, cure));
    if !output.can_ask() {
        return refused(format!("{what} would be gone for good"), "look at it with --dry-run first, then add --yes");
    }
    output.note(format!("{what} will be gone for good. Type \"yes\" to go on:"));
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    if std::io::stdin().lock().read_line(&mut answer).is_ok() && answer.trim() == "yes" {
        return Ok(());
    }
    refused("that is not \"yes\"; nothing was done".to_owned(), "")
}
