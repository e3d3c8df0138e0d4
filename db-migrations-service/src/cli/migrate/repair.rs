//! `profe migrate repair …`

use clap::Subcommand;
use owo_colors::OwoColorize;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::GOOD;
use crate::operations::parse_migration;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Accept the present file of one edited migration as the applied one, on record
    Bless {
        /// SCHEMA/VERSION
        migration: String,
        /// Why the file changed after it was applied; kept in the history
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self::Bless { migration, reason } = self;
        let (id, old, new) = context.with_operations(async |operations| {
            let id = parse_migration(operations.catalogue(), None, &migration)?;
            let (old, new) = operations.bless(context.environment(), &id, &reason, &context.caller()).await?;
            Ok((id, old, new))
        })?;
        context.output.document(&json!({ "migration": id, "oldChecksum": old, "newChecksum": new, "reason": reason }));
        let short = |hash: &str| hash.chars().take(12).collect::<String>();
        context.output.line(format!("{} {id}: {} → {}", "Blessed".style(GOOD), short(&old), short(&new)));
        Ok(Exit::Ok)
    }
}
