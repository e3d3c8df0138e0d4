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
use crate::cli::show::{DIM, GOOD, bytes, count};
use crate::operations::{BackupOrder, BackupView, Operations};

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
            let service = self.services.first().map(String::as_str);
            let databases = operations.databases_of(context.environment(), service)?;
            let (mut exit, mut documents) = (Exit::Ok, Vec::new());
            for name in &databases {
                heading(context.output, &databases, name);
                let (ended, backup) = Box::pin(self.of(name, context, &operations)).await?;
                documents.push(backup);
                if ended != Exit::Ok {
                    exit = ended;
                }
            }
            match documents.as_slice() {
                [only] => context.output.document(only),
                several => context.output.document(&json!({ "databases": several })),
            }
            Ok(exit)
        })
    }

    /// Backs one database up.
    async fn of(
        &self,
        environment: &str,
        context: &Context,
        operations: &Operations,
    ) -> Result<(Exit, BackupView), Failure> {
        let order = BackupOrder {
            environment: Some(environment.to_owned()),
            services: self.services.clone(),
            description: self.description.clone(),
            retention_days: self.retention_days,
        };
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
}
