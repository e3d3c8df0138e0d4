//! Alertmanager's API v2, which is told of everything that fires again and again, and of what is over with its end:
//! <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>.

use std::time::Duration;

use kernel::Secret;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::rules::alert_name;
use super::ways::{client, post};
use crate::master::alerts::{Alert, AlertState};

/// For so long after its end an alert is still told to be over, as Prometheus does it, so that an Alertmanager that was away
/// learns of it.
pub(super) const TOLD_WHEN_OVER: Duration = Duration::from_mins(15);
/// What is not told again for so many beats is over; so that nothing fires for ever when this service is gone.
const BEATS: u32 = 4;
const SHORTEST_BEAT: Duration = Duration::from_mins(1);

/// What is posted: the labels are those that Prometheus gives with the [`rules`](super::rules) of this program, so that an
/// alert that comes both ways is one.
pub(super) fn body(alerts: &[Alert], now: OffsetDateTime, beat: Duration) -> Value {
    let until = now + beat.max(SHORTEST_BEAT) * BEATS;
    let is_last = |at: usize, alert: &Alert| !alerts[at + 1..].iter().any(|later| labels(later) == labels(alert));
    let told = alerts.iter().enumerate().filter(|(at, alert)| is_last(*at, alert));
    told.map(|(_, alert)| {
        let end = alert.resolved_at.filter(|_| alert.state == AlertState::Resolved).unwrap_or(until);
        one(&labels(alert), &alert.summary, alert.fired_at.unwrap_or(alert.pending_since), end)
    })
    .collect()
}

/// One alert as Alertmanager takes it.
pub(super) fn one(labels: &Value, summary: &str, starts_at: OffsetDateTime, ends_at: OffsetDateTime) -> Value {
    let time = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
    json!({
        "labels": labels,
        "annotations": { "summary": summary },
        "startsAt": time(starts_at),
        "endsAt": time(ends_at),
    })
}

/// A label without a value is none.
fn labels(alert: &Alert) -> Value {
    let mut labels = json!({ "alertname": alert_name(&alert.rule), "rule": alert.rule, "severity": alert.severity });
    for (name, value) in [("environment", &alert.environment), ("service", &alert.service), ("subject", &alert.subject)]
    {
        if let Some(value) = value {
            labels[name] = json!(value);
        }
    }
    labels
}

/// Posts to one Alertmanager.
pub(super) async fn send(url: &Secret, body: &Value) -> Result<String, String> {
    let address = format!("{}/api/v2/alerts", url.reveal().trim_end_matches('/'));
    post(client()?.post(address).json(body)).await
}
