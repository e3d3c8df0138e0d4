//! `profe backup restore`

use clap::Args;
use owo_colors::OwoColorize;

use super::Which;
use super::progress::follow;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{GOOD, WARN};
use crate::operations::RestoreOrder;

/// Arguments.
#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    which: Which,
    /// The new database's name; one made of the backup's, if none is given
    #[arg(long, value_name = "DATABASE")]
    into: Option<String>,
}

impl Restore {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_operations(async |operations| {
            let id = self.which.id.clone();
            let order = RestoreOrder {
                environment: context.environment.clone(),
                into: self.into.clone(),
                // Whoever types the command types the id; nothing that is there is touched.
                confirm: Some(id.clone()),
                id,
            };
            let caller = context.caller();
            let id = follow(context.output, "restoring", operations.start_restore(order, &caller)).await?;
            let backup = operations.backup(&id, &caller).await?;
            context.output.document(&backup);
            let Some(job) = &backup.job else { return Ok(Exit::Ok) };
            for key in &job.unchecked_keys {
                context.output.line(format!(
                    "{} the foreign key {} of {} stands unchecked: {} was not in the backup",
                    "!".style(WARN),
                    key.name,
                    key.table,
                    key.references
                ));
            }
            let database = job.into.as_deref().unwrap_or_default();
            context.output.line(format!(
                "{} {} is restored into the database {database}.",
                "✓".style(GOOD),
                backup.backup_id
            ));
            Ok(Exit::Ok)
        })
    }
}
