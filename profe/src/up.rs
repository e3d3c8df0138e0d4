//! `profe up`: from nothing to a running platform.

use clap::Args;
use db_migrations_service::cli::{Context, Exit, Failure};

use crate::services::{MIGRATIONS, Wanted};
use crate::stack::{Before, Stack};

/// Arguments.
#[derive(Debug, Args)]
pub struct Up {
    /// Migrate these environments too, beside the default one
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    also: Vec<String>,
    /// Only these services, separated by commas; default: all that this program has
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
}

impl Up {
    pub fn run(self, context: &Context) -> Result<Exit, Failure> {
        let wanted = Wanted::named(&self.only)?;
        if !wanted.has(MIGRATIONS) {
            let cure = format!("add {MIGRATIONS}, or start them alone with `profe serve --only …`");
            return Err(Failure::usage("`profe up` migrates, which the migration service does", cure));
        }
        let stack = Stack::prepare(context, wanted, true)?;
        let catalogue = &stack.project.catalogue;
        let default = context.environment.as_deref().or(context.settings.environment.as_deref());
        let mut environments = vec![default.unwrap_or_else(|| catalogue.default_environment()).to_owned()];
        for name in self.also {
            catalogue.environment(&name)?;
            if !environments.contains(&name) {
                environments.push(name);
            }
        }
        stack.run(context, Before::BringUp(environments))
    }
}
