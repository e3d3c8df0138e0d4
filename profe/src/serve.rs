//! `profe serve`: serves on databases that somebody else migrates.

use clap::Args;
use db_migrations_service::cli::{Context, Exit, Failure};

use crate::services::{MIGRATIONS, Wanted};
use crate::stack::{Before, Stack, has_databases};

/// Arguments.
#[derive(Debug, Args)]
pub struct Serve {
    /// Only these services, separated by commas; default: all that this program has
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
}

impl Serve {
    /// The one part that is served, where it is one: a process of its own, also in traces.
    pub fn alone(&self) -> Option<&str> {
        match &self.only[..] {
            [one] => Some(one),
            _ => None,
        }
    }

    pub fn run(self, context: &Context) -> Result<Exit, Failure> {
        let wanted = Wanted::named(&self.only)?;
        // Domain services and the gateway say themselves what they lack.
        if wanted.has(MIGRATIONS) && !has_databases(context) {
            return Err(Failure::usage(
                format!("there is no database to serve: no URL is set, and {} holds none", context.data_dir.display()),
                "set DATABASE_URL or MIGRATION_SERVICE_MASTER_DB_URL, or make one with `profe up`",
            ));
        }
        Stack::prepare(context, wanted, false)?.run(context, Before::Nothing)
    }
}
