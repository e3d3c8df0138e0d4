//! `profe backup restore`

use clap::Args;
use owo_colors::OwoColorize;

use super::progress::follow;
use super::{Which, confirm};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{DIM, GOOD, Output, WARN};
use crate::operations::{BackupView, JobView, RestoreOrder};

/// Arguments.
#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    which: Which,
    /// The new database's name; one made of the backup's, if none is given
    #[arg(long, value_name = "DATABASE", conflicts_with_all = ["in_place", "tables"])]
    into: Option<String>,
    /// In place of what is there: the schemas are made what they were. What is there is backed up first
    #[arg(long, conflicts_with = "tables")]
    in_place: bool,
    /// Only this table, beside the live one under a name of its own; may be repeated
    #[arg(long = "table", value_name = "SCHEMA.TABLE")]
    tables: Vec<String>,
    /// Do not ask before schemas are replaced
    #[arg(short, long, requires = "in_place")]
    yes: bool,
}

impl Restore {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_operations(async |operations| {
            let (id, caller) = (self.which.id.clone(), context.caller());
            if self.in_place && !self.yes {
                // Unknown is the better answer than unconfirmed.
                operations.backup(&id, &caller).await?;
                confirm(context.output, &id, "will take the place of what is there")?;
            }
            let order = RestoreOrder {
                environment: context.environment.clone(),
                into: self.into.clone(),
                in_place: self.in_place,
                tables: Some(self.tables.clone()).filter(|tables| !tables.is_empty()),
                // Whoever types the command types the id.
                confirm: Some(id.clone()),
                id,
            };
            let id = follow(context.output, "restoring", operations.start_restore(order, &caller)).await?;
            let backup = operations.backup(&id, &caller).await?;
            context.output.document(&backup);
            if let Some(job) = &backup.job {
                show(context.output, &backup, job);
            }
            Ok(Exit::Ok)
        })
    }
}

fn show(output: Output, backup: &BackupView, job: &JobView) {
    for key in &job.unchecked_keys {
        output.line(format!(
            "{} the foreign key {} of {} stands unchecked: {} was not in the backup",
            "!".style(WARN),
            key.name,
            key.table,
            key.references
        ));
    }
    let (done, id) = ("✓".style(GOOD), &backup.backup_id);
    if let Some(database) = &job.into {
        output.line(format!("{done} {id} is restored into the database {database}."));
    }
    for table in &job.tables {
        output.line(format!("{done} {} is restored as {}.", table.table, table.restored_as));
    }
    if let Some(safety) = &job.safety_backup {
        output.line(format!("{done} {id} is restored in place: {}.", job.schemas.join(", ")));
        let hint = format!("What was there before: profe backup restore {safety} --in-place");
        output.note(hint.style(DIM).to_string());
    }
}
