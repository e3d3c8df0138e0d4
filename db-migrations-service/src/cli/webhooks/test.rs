//! `profe webhooks test`

use clap::Args;
use owo_colors::OwoColorize;
use time::OffsetDateTime;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{BAD, GOOD};

/// Arguments.
#[derive(Debug, Args)]
pub struct Test {
    /// Only this service's
    #[arg(short, long, value_name = "NAME")]
    service: Option<String>,
}

impl Test {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let answers = context.with_operations(async |operations| {
            let now = OffsetDateTime::now_utc();
            Ok(operations.test_webhooks(self.service.as_deref(), &context.caller(), now).await?)
        })?;
        context.output.document(&answers);
        if answers.is_empty() {
            return Err(Failure::other(
                Exit::Failed,
                "nobody_is_told",
                "no such service has a webhook",
                "write [services.<name>.webhooks] into config/services.toml",
            ));
        }
        for answer in &answers {
            let sign = if answer.taken { "✓".style(GOOD).to_string() } else { "✗".style(BAD).to_string() };
            context.output.line(format!("{sign} {} {}: {}", answer.service, answer.to, answer.answer));
        }
        Ok(if answers.iter().all(|answer| answer.taken) { Exit::Ok } else { Exit::Failed })
    }
}
