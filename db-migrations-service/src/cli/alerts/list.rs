//! `profe alerts list`

use clap::Args;

use super::rule_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{Table, Tone, time};
use crate::master::alerts::{Alert, AlertFilter, AlertState};

/// Arguments.
#[derive(Debug, Args)]
pub struct List {
    /// Only what concerns this service
    #[arg(short, long, value_name = "NAME")]
    service: Option<String>,
    /// Only this rule
    #[arg(long, value_name = "NAME", value_parser = rule_names())]
    rule: Option<String>,
    /// Also what is over
    #[arg(long)]
    all: bool,
    /// At most so many lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=500))]
    limit: i64,
}

impl List {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let filter = |state, environments| AlertFilter {
            rule: self.rule.clone(),
            environments,
            state,
            limit: self.limit,
            ..AlertFilter::default()
        };
        let states: &[_] = if self.all { &[None] } else { &[Some(AlertState::Firing), Some(AlertState::Pending)] };
        let alerts = context.with_operations(async |operations| {
            let databases = operations.listed_databases(context.environment())?;
            let mut alerts = Vec::new();
            for state in states {
                let filter = filter(*state, databases.clone());
                alerts.extend(operations.alerts(self.service.as_deref(), filter, &context.caller()).await?);
            }
            Ok(alerts)
        })?;
        show(context, &alerts, self.all);
        Ok(Exit::Ok)
    }
}

fn show(context: &Context, alerts: &[Alert], all: bool) {
    context.output.document(&alerts);
    if alerts.is_empty() {
        context.output.line(if all { "There are no alerts, and there were none." } else { "There are no alerts." });
        return;
    }
    let mut table = Table::new(&["SINCE, UTC", "STATE", "SEVERITY", "RULE", "ENVIRONMENT", "WHAT"]);
    for alert in alerts {
        let tone = match alert.state {
            AlertState::Pending => Tone::Warn,
            AlertState::Firing => Tone::Bad,
            AlertState::Resolved => Tone::Dim,
        };
        table.row([
            (time(alert.fired_at.unwrap_or(alert.pending_since)), Some(Tone::Dim)),
            (alert.state.as_str().to_owned(), Some(tone)),
            (alert.severity.clone(), None),
            (alert.rule.clone(), None),
            (alert.environment.clone().unwrap_or_default(), None),
            (alert.summary.clone(), None),
        ]);
    }
    context.output.line(table.to_string());
}
