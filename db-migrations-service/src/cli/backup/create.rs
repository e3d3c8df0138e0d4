//! `profe backup create`

use clap::Args;
use owo_colors::OwoColorize;
use serde_json::json;

use super::progress::follow;
use super::verify::{told, verified};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::migrate::heading;
use crate::cli::several::missing;
use crate::cli::show::{DIM, GOOD, bytes, count};
use crate::operations::{BackupOrder, BackupView, Operations, Unavailable};

/// Arguments.
#[derive(Debug, Args)]
pub struct Create {
    /// Only the schemas of these services, separated by commas; the whole database, if none is named
    #[arg(short, long = "service", value_name = "NAME", value_delimiter = ',')]
    services: Vec<String>,
    /// What it is for
    #[arg(short, long, value_name = "TEXT")]
    description: Option<String>,
    /// How long to keep it, days
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    retention_days: Option<u32>,
}

impl Create {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_operations(async |operations| {
            let order = BackupOrder {
                environment: context.environment.clone(),
                services: self.services.clone(),
                description: self.description.clone(),
                retention_days: self.retention_days,
                goes_on: 0,
            };
            let orders = operations.backups_of(&order)?;
            let (mut exit, mut documents, mut unavailable) = (Exit::Ok, Vec::new(), Vec::new());
            for order in &orders {
                let name = order.environment.as_deref().unwrap_or_default();
                heading(context.output, &orders, name);
                match Box::pin(one(order.clone(), context, &operations)).await {
                    Ok((ended, backup)) => {
                        documents.push(backup);
                        exit = if ended == Exit::Ok { exit } else { ended };
                    }
                    // Ctrl-C is meant for all of them.
                    Err(failure) if orders.len() == 1 || failure.exit == Exit::Cancelled => return Err(failure),
                    Err(failure) => unavailable.push(not_begun(name, &failure)),
                }
            }
            match documents.as_slice() {
                [only] if orders.len() == 1 => context.output.document(only),
                several => {
                    context.output.document(&json!({ "databases": several, "unavailable": unavailable }));
                }
            }
            let missing = missing(context.output, &unavailable);
            Ok(if exit == Exit::Ok { missing } else { exit })
        })
    }
}

fn not_begun(environment: &str, failure: &Failure) -> Unavailable {
    let (message, cure) = (failure.error.message.clone(), failure.error.cure.clone());
    Unavailable { environment: environment.to_owned(), code: failure.code(), message, cure }
}

/// Backs one database up.
async fn one(order: BackupOrder, context: &Context, operations: &Operations) -> Result<(Exit, BackupView), Failure> {
    let caller = context.caller();
    let id = follow(context.output, "backing up", operations.start_backup(order, &caller)).await?;
    let mut backup = operations.backup(&id, &caller).await?;
    let verify = operations.verifies_backups(&backup.environment);
    if verify {
        backup = verified(context, operations, &id).await?;
    }
    context.output.line(format!(
        "{} {} · {}, {} in {}",
        "✓".style(GOOD),
        backup.backup_id,
        bytes(backup.size),
        count(usize::try_from(backup.rows.unwrap_or_default()).unwrap_or(usize::MAX), "row"),
        count(backup.tables.unwrap_or_default(), "table"),
    ));
    if verify {
        return Ok((told(context.output, &backup), backup));
    }
    let hint = format!("Nobody knows yet whether it can be restored: profe backup verify {}", backup.backup_id);
    context.output.note(hint.style(DIM).to_string());
    Ok((Exit::Ok, backup))
}
