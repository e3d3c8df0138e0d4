//! `profe release forget`

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;

/// Arguments.
#[derive(Debug, Args)]
pub struct Forget {
    /// The service
    #[arg(value_name = "SERVICE")]
    service: String,
    /// What its process calls itself
    #[arg(value_name = "INSTANCE")]
    instance: String,
}

impl Forget {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_operations(async |operations| {
            let (service, instance) = (&self.service, &self.instance);
            operations.sign_release_off(context.environment(), service, instance, &context.caller()).await?;
            context.output.document(&serde_json::json!({ "service": service, "instance": instance }));
            context.output.line(format!("{instance} of {service} no longer counts as alive."));
            Ok(Exit::Ok)
        })
    }
}
