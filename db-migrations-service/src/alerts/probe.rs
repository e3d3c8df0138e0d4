//! A test alert over every way that is configured, to see that somebody would be told.

use futures_util::future::join_all;
use migration_engine::catalogue::alerts::AlertRule;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::rules::alert_name;
use super::{alertmanager, mail, ways, webhook};
use crate::operations::Operations;

/// Until when a test alert fires, seconds: long enough to be routed, short enough to be gone by itself.
const TEST_LASTS_S: i64 = 300;

/// What became of a test alert.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertTest {
    /// The rule that it stood for.
    pub rule: &'static str,
    /// Way by way; empty where none is configured.
    pub answers: Vec<WayAnswer>,
}

/// What one of those who are told answered.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WayAnswer {
    /// `alertmanager`, `webhook` or `mail`.
    pub way: &'static str,
    /// Whom, without secrets.
    pub to: String,
    /// They took it.
    pub taken: bool,
    /// What they answered, or why they could not be asked.
    pub answer: String,
}

impl WayAnswer {
    fn of(way: &'static str, to: String, result: Result<String, String>) -> Self {
        let taken = result.is_ok();
        Self { way, to, taken, answer: result.unwrap_or_else(|trouble| trouble) }
    }
}

impl Operations {
    /// Sends a test alert of a rule over every way. Nothing is written down of it.
    pub async fn test_alerts(&self, rule: AlertRule, now: OffsetDateTime) -> AlertTest {
        let (ways, rule) = (self.alert_ways(), rule.as_str());
        let summary = format!("this is a test of the alert {rule}; nothing is wrong");
        let labels = json!({ "alertname": alert_name(rule), "rule": rule, "severity": "info", "test": "true" });
        let fires = json!([alertmanager::one(&labels, &summary, now, now + time::Duration::seconds(TEST_LASTS_S))]);
        let id = Uuid::now_v7().to_string();
        let posted = json!({ "deliveryId": id, "status": "firing", "test": true,
            "alert": { "rule": rule, "severity": "info", "summary": summary } });
        let alertmanagers =
            join_all(ways.alertmanagers.iter().map(async |url| {
                WayAnswer::of("alertmanager", ways::shown(url), alertmanager::send(url, &fires).await)
            }));
        let webhooks = join_all(ways.webhooks.iter().map(async |url| {
            let sent = match &ways.webhook_secret {
                Some(secret) => webhook::send(url, secret, &id, &posted, now).await,
                None => Err("there is no secret to sign with".to_owned()),
            };
            WayAnswer::of("webhook", ways::shown(url), sent)
        }));
        let letter = async {
            ways.smtp.as_ref()?;
            let sent = mail::send(ways, &format!("[test] {summary}"), format!("{summary}.\n")).await;
            Some(WayAnswer::of("mail", ways.mail_to.join(", "), sent))
        };
        let (alertmanagers, webhooks, letter) = tokio::join!(alertmanagers, webhooks, letter);
        AlertTest { rule, answers: alertmanagers.into_iter().chain(webhooks).chain(letter).collect() }
    }
}
