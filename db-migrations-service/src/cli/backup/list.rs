//! `profe backup list`

use clap::Args;
use clap::builder::PossibleValuesParser;
use owo_colors::{OwoColorize, Style};

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{BAD, DIM, GOOD, WARN, bytes, time};
use crate::operations::{BackupFilter, BackupStatus, BackupView, VerificationStatus};

/// Arguments.
#[derive(Debug, Args)]
pub struct List {
    /// Only those that have this service
    #[arg(short, long, value_name = "NAME")]
    service: Option<String>,
    /// Only these, also where nothing of them is in the storage
    #[arg(long, value_name = "WORD", value_parser = PossibleValuesParser::new(BackupStatus::ALL.map(BackupStatus::as_str)))]
    status: Option<String>,
    /// At most so many lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

impl List {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let filter = |environments| BackupFilter {
            environments,
            service: self.service.clone(),
            status: BackupStatus::ALL.into_iter().find(|status| Some(status.as_str()) == self.status.as_deref()),
            before: None,
            limit: self.limit,
        };
        let (backups, total) = context.with_operations(async |operations| {
            let filter = filter(operations.listed_databases(context.environment())?);
            Ok(operations.backups(&filter, &context.caller()).await?)
        })?;
        context.output.document(&backups);
        if backups.is_empty() {
            context.output.line("There are no backups. `profe backup create` makes one.");
            return Ok(Exit::Ok);
        }
        // Two lines each: an id that is broken in the middle is none that can be copied.
        let width = backups.iter().map(|backup| backup.backup_id.len()).max().unwrap_or_default();
        for backup in &backups {
            let (state, style) = state(backup);
            let of = if backup.services.is_empty() { "all".to_owned() } else { backup.services.join(", ") };
            let note = backup.description.as_ref().map(|text| format!(" · {text}")).unwrap_or_default();
            context.output.line(format!(
                "{:width$}  {:>9}  {}",
                backup.backup_id,
                bytes(backup.size),
                state.style(style)
            ));
            context.output.line(format!("    {} · {of}{note}", backup.environment).style(DIM).to_string());
        }
        if total > backups.len() {
            context.output.note(format!("and {} more: --limit {total} shows all", total - backups.len()));
        }
        Ok(Exit::Ok)
    }
}

/// What matters most of it, in a few words.
fn state(backup: &BackupView) -> (String, Style) {
    let at = backup.verification.at.map(time).unwrap_or_default();
    match (backup.status, backup.verification.status) {
        (BackupStatus::Ready, VerificationStatus::Verified) => (format!("verified at {at}"), GOOD),
        (BackupStatus::Ready, _) => ("unverified".to_owned(), WARN),
        (BackupStatus::Damaged, VerificationStatus::Failed) => (format!("failed its verification at {at}"), BAD),
        (BackupStatus::Running, _) => ("running".to_owned(), DIM),
        (BackupStatus::Deleted, _) => ("deleted".to_owned(), DIM),
        (other, _) => (other.as_str().to_owned(), BAD),
    }
}
