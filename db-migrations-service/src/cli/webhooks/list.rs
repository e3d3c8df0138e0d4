//! `profe webhooks list`

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{Table, Tone, time};
use crate::webhooks::{DeliveryFilter, WebhookDelivery};

/// Arguments.
#[derive(Debug, Args)]
pub struct List {
    /// Only to this service
    #[arg(short, long, value_name = "NAME")]
    service: Option<String>,
    /// Only what has still to be told
    #[arg(long)]
    open: bool,
    /// At most so many lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=500))]
    limit: i64,
}

impl List {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let filter = |environments| DeliveryFilter {
            environments,
            open: self.open.then_some(true),
            limit: self.limit,
            ..DeliveryFilter::default()
        };
        let deliveries = context.with_operations(async |operations| {
            let filter = filter(operations.listed_databases(context.environment())?);
            Ok(operations.webhook_deliveries(self.service.as_deref(), filter, &context.caller()).await?)
        })?;
        show(context, &deliveries);
        Ok(Exit::Ok)
    }
}

fn show(context: &Context, deliveries: &[WebhookDelivery]) {
    context.output.document(&deliveries);
    if deliveries.is_empty() {
        context.output.line("No service was told anything, and none has to be.");
        return;
    }
    let mut table = Table::new(&["SINCE, UTC", "SERVICE", "WHAT", "ENVIRONMENT", "STATE", "ATTEMPTS", "ANSWER"]);
    for delivery in deliveries {
        let (state, tone) = match (delivery.delivered_at, delivery.given_up_at) {
            (Some(_), _) => ("taken", Tone::Good),
            (None, Some(_)) => ("given up", Tone::Bad),
            (None, None) => ("open", Tone::Warn),
        };
        table.row([
            (time(delivery.created_at), Some(Tone::Dim)),
            (delivery.service.clone(), None),
            (delivery.event.clone(), None),
            (delivery.environment.clone(), None),
            (state.to_owned(), Some(tone)),
            (delivery.attempts.to_string(), None),
            (delivery.answer.clone().unwrap_or_default(), None),
        ]);
    }
    context.output.line(table.to_string());
}
