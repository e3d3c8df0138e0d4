//! `profe alerts rules`

use clap::Args;

use crate::alerts::rules::rule_file;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;

/// Arguments: none.
#[derive(Debug, Args)]
pub struct Rules;

impl Rules {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self = self;
        context.output.raw(&rule_file(&context.project()?.catalogue));
        Ok(Exit::Ok)
    }
}
