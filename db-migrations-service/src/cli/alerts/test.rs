//! `profe alerts test`

use clap::Args;
use migration_engine::catalogue::alerts::AlertRule;
use owo_colors::OwoColorize;
use time::OffsetDateTime;

use super::rule_names;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::{BAD, GOOD};

/// Arguments.
#[derive(Debug, Args)]
pub struct Test {
    /// The rule that the test stands for
    #[arg(long, value_name = "NAME", default_value = "failed-migration", value_parser = rule_names())]
    rule: String,
}

impl Test {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let named = AlertRule::ALL.into_iter().find(|rule| rule.as_str() == self.rule);
        let rule = named.unwrap_or(AlertRule::FailedMigration);
        let test = context.with_operations(async |operations| {
            operations.tell_alerts_by(context.settings.alert_ways.clone());
            Ok(operations.test_alerts(rule, OffsetDateTime::now_utc()).await)
        })?;
        context.output.document(&test);
        if test.answers.is_empty() {
            return Err(Failure::other(
                Exit::Failed,
                "nobody_is_told",
                "nobody is told of alerts",
                "set MIGRATION_SERVICE_ALERTMANAGER_URL, MIGRATION_SERVICE_ALERT_WEBHOOKS or MIGRATION_SERVICE_SMTP_URL",
            ));
        }
        for answer in &test.answers {
            let sign = if answer.taken { "✓".style(GOOD).to_string() } else { "✗".style(BAD).to_string() };
            context.output.line(format!("{sign} {} {}: {}", answer.way, answer.to, answer.answer));
        }
        Ok(if test.answers.iter().all(|answer| answer.taken) { Exit::Ok } else { Exit::Failed })
    }
}
