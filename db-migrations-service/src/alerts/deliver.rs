//! Telling what fires and what is over.
//!
//! Alertmanager is told everything again and again, from the table of alerts, by every copy of the service: it takes the same
//! alert twice as one. Webhooks and people are told each thing once, from what the master database says they are owed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::{alertmanager, mail, ways, webhook};
use crate::master::alerts::Delivery;
use crate::operations::{OperationError, Operations};
use crate::outbound::backoff;

/// Whoever tells something has so long before another copy of the service does; longer than anybody is waited for.
const LEASE: Duration = Duration::from_mins(1);
/// The pause after the first failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// Nobody wants to be told after so long.
const GIVE_UP_AFTER: Duration = Duration::from_hours(24);

/// What failed the last time, by what it is.
#[derive(Debug, Default)]
pub(super) struct Troubles(Mutex<BTreeMap<String, String>>);

impl Troubles {
    /// Logs what begins to fail, and what works again.
    pub(super) fn tell(&self, what: &'static str, of: &str, trouble: Option<String>) {
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble {
            None if troubles.remove(of).is_some() => tracing::info!(of, "no longer: {what}"),
            Some(trouble) if troubles.get(of) != Some(&trouble) => {
                tracing::warn!(of, trouble, "{what}");
                troubles.insert(of.to_owned(), trouble);
            }
            _ => {}
        }
    }
}

impl Operations {
    /// Tells each `interval`, and when something has changed, until `shutdown`.
    pub(crate) async fn deliver_alerts(&self, interval: Duration, shutdown: &CancellationToken) {
        loop {
            let pause = tokio::time::timeout(interval, self.alerting().changed.notified());
            if shutdown.run_until_cancelled(pause).await.is_none() {
                return;
            }
            let told = async {
                let told = async { self.tell_alerts(self.master().time().await?, interval).await };
                let trouble = told.await.err().map(|error| error.to_string());
                self.alerting().troubles.tell("nobody could be told of alerts", "delivery", trouble);
            };
            if shutdown.run_until_cancelled(Box::pin(told)).await.is_none() {
                return;
            }
        }
    }

    /// Tells everybody what they have to be told, as if it were `now`; the next time is an `interval` later. That somebody
    /// does not take it is no error: it is logged, and tried again.
    ///
    /// # Errors
    /// A master database that is away.
    pub async fn tell_alerts(&self, now: OffsetDateTime, interval: Duration) -> Result<(), OperationError> {
        let (told, delivered) = tokio::join!(self.tell_alertmanagers(now, interval), self.deliver_what_is_due(now));
        told.and(delivered)
    }

    async fn tell_alertmanagers(&self, now: OffsetDateTime, interval: Duration) -> Result<(), OperationError> {
        let urls = &self.alert_ways().alertmanagers;
        if urls.is_empty() {
            return Ok(());
        }
        let alerts = self.master().alerts_to_tell(now - alertmanager::TOLD_WHEN_OVER).await?;
        if alerts.is_empty() {
            return Ok(());
        }
        let body: Value = alertmanager::body(&alerts, now, interval);
        join_all(urls.iter().map(async |url| {
            let trouble = alertmanager::send(url, &body).await.err();
            self.alerting().troubles.tell("Alertmanager does not take alerts", &ways::shown(url), trouble);
        }))
        .await;
        Ok(())
    }

    async fn deliver_what_is_due(&self, now: OffsetDateTime) -> Result<(), OperationError> {
        let receivers = self.alert_ways().receivers();
        if receivers.is_empty() {
            return Ok(());
        }
        let due = self.master().take_deliveries(now, &receivers, LEASE).await?;
        let settled = join_all(due.iter().map(async |delivery| self.deliver(delivery, now).await)).await;
        settled.into_iter().collect()
    }

    async fn deliver(&self, delivery: &Delivery, now: OffsetDateTime) -> Result<(), OperationError> {
        let trouble = self.hand_over(delivery, now).await.err();
        let due_at = trouble.as_ref().and_then(|_| next_attempt(delivery, now));
        if trouble.is_some() && due_at.is_none() {
            tracing::error!(
                receiver = delivery.receiver,
                alert = delivery.alert.summary,
                "given up telling of an alert"
            );
        }
        self.master().settle_delivery(delivery.id, now, trouble.as_deref(), due_at).await?;
        self.alerting().troubles.tell("somebody could not be told of an alert", &delivery.receiver, trouble);
        Ok(())
    }

    async fn hand_over(&self, delivery: &Delivery, now: OffsetDateTime) -> Result<String, String> {
        let ways = self.alert_ways();
        if delivery.receiver == ways::MAIL {
            let (subject, text) = letter(delivery);
            return mail::send(ways, &subject, text).await;
        }
        let (Some(url), Some(secret)) = (ways.webhook(&delivery.receiver), &ways.webhook_secret) else {
            return Err("it is no longer configured".to_owned());
        };
        webhook::send(url, secret, &delivery.id.to_string(), &webhook::body(delivery), now).await
    }
}

/// When it is tried again; `None` where it was tried for too long.
fn next_attempt(delivery: &Delivery, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let pause = backoff(delivery.attempt, FIRST_PAUSE, LONGEST_PAUSE);
    Some(now + pause).filter(|at| *at - delivery.created_at < GIVE_UP_AFTER)
}

fn letter(delivery: &Delivery) -> (String, String) {
    let alert = &delivery.alert;
    let word = if delivery.status == "firing" { alert.severity.as_str() } else { "resolved" };
    let mut text = format!("{}.\n\nRule: {}\nSince: {}\n", alert.summary, alert.rule, alert.pending_since);
    // Writing into a String cannot fail.
    for (name, value) in [("Environment", &alert.environment), ("Service", &alert.service)] {
        let _ = value.as_ref().map(|value| writeln!(text, "{name}: {value}"));
    }
    let _ = alert.resolved_at.map(|at| writeln!(text, "Over since: {at}"));
    (format!("[{word}] {}", alert.summary), text)
}
