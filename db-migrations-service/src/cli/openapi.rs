//! `profe openapi`

use clap::Args;

use super::context::Context;
use super::exit::Exit;

/// Arguments: none.
#[derive(Debug, Args)]
pub struct Openapi;

impl Openapi {
    pub(super) fn run(self, context: &Context) -> Exit {
        let Self = self;
        context.output.raw(&crate::openapi_document());
        Exit::Ok
    }
}
