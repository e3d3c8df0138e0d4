//! From ended runs to rows, and from rows to calls.

use std::time::Duration;

use futures_util::future::join_all;
use migration_engine::request::HistoryFilter;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::make;
use crate::master::webhooks::{EndedRun, WebhookDelivery};
use crate::operations::{OperationError, Operations};
use crate::outbound::{backoff, post_signed};

/// Between two looks that no event asked for.
const BEAT: Duration = Duration::from_secs(2);
/// So many ends of runs are looked at at a time.
const PAGE: i64 = 50;
/// Whoever tells something has so long before another copy of the service does; longer than anybody is waited for.
const LEASE: Duration = Duration::from_secs(90);
/// The pause after the first failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// Nobody wants to be told after so long.
const GIVE_UP_AFTER: Duration = Duration::from_hours(24);
/// So many events without the end of a run are passed over in one go.
const FAR: i64 = 500;
/// What one run can have done, as far as it is read from a history.
const MANY: usize = 100_000;

impl Operations {
    /// Tells the services' webhooks until `shutdown`; at once where a run ends here, and soon where it ended elsewhere.
    pub(crate) async fn call_webhooks(&self, shutdown: &CancellationToken) {
        if self.webhook_ways().services().next().is_none() {
            return;
        }
        for (service, problem) in self.webhook_ways().problems() {
            tracing::warn!(service, problem, "the service's webhook cannot be called");
        }
        let mut trouble = None;
        let mut mark = self.hub().follow();
        loop {
            let told = async { Box::pin(self.tell_webhooks(self.master().time().await?, shutdown)).await };
            let result = told.await;
            let now = result.as_ref().err().map(ToString::to_string);
            if now != trouble {
                if let Some(error) = &now {
                    tracing::warn!(error, "the services' webhooks cannot be told");
                } else {
                    tracing::info!("the services' webhooks are told again");
                }
                trouble = now;
            }
            // Whoever was told may be owed more.
            if !shutdown.is_cancelled() && matches!(result, Ok(more) if more) {
                continue;
            }
            let pause = tokio::time::timeout(BEAT, mark.changed());
            if shutdown.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    /// Writes down what ended runs mean to the services and tells them what is due, as if it were `now`. Returns whether
    /// somebody took something, so that more may be due. That somebody does not is no error: it is tried again. Whoever is
    /// being told at `shutdown` is told again by the next copy of the service.
    ///
    /// # Errors
    /// A master database that is away.
    pub async fn tell_webhooks(
        &self,
        now: OffsetDateTime,
        shutdown: &CancellationToken,
    ) -> Result<bool, OperationError> {
        self.note_ended_runs(now).await?;
        let due = self.master().take_webhook_deliveries(now, LEASE).await?;
        let settled = due.iter().map(async |delivery| self.deliver_webhook(delivery, now, shutdown).await);
        let settled = join_all(settled).await;
        settled.into_iter().try_fold(false, |taken, one| Ok(taken | one?))
    }

    async fn note_ended_runs(&self, now: OffsetDateTime) -> Result<(), OperationError> {
        let Some(mut after) = self.master().webhook_cursor().await? else { return Ok(()) };
        // Whoever has seen an event has missed none before it.
        let seen = self.hub().latest().unwrap_or_default();
        loop {
            let runs = self.master().ended_runs(after, PAGE).await?;
            for mut run in runs.iter().cloned() {
                self.complete(&mut run).await;
                let deliveries = make::deliveries(&run, self.catalogue());
                self.master().add_webhook_deliveries(&run, &deliveries, now).await?;
                after = run.event_id;
            }
            if (runs.len() as i64) < PAGE {
                // What is no end of a run is not looked through again and again.
                return if seen > after + FAR { Ok(self.master().move_webhook_cursor(seen).await?) } else { Ok(()) };
            }
        }
    }

    /// What a killed run had done but not written down stands in its target's history. Where that is away, what was written
    /// down has to do.
    async fn complete(&self, run: &mut EndedRun) {
        if run.state != "interrupted" {
            return;
        }
        let filter = HistoryFilter { run_id: Some(run.id), limit: MANY, ..HistoryFilter::default() };
        let Ok(engine) = self.engine(Some(&run.environment)) else { return };
        let Ok(mut rows) = engine.history(&filter).await else { return };
        let is_rollback = run.kind == "rollback";
        rows.retain(|row| is_rollback == (row.rollback_run_id == Some(run.id)));
        if !is_rollback {
            rows.reverse();
        }
        run.events.retain(|event| event["type"] != "migration_finished");
        let done = |row: &migration_engine::status::HistoryEntry| -> Value {
            json!({ "type": "migration_finished", "migration": row.migration })
        };
        run.events.splice(0..0, rows.iter().map(done));
    }

    async fn deliver_webhook(
        &self,
        delivery: &WebhookDelivery,
        now: OffsetDateTime,
        shutdown: &CancellationToken,
    ) -> Result<bool, OperationError> {
        let (service, id) = (&delivery.service, delivery.id);
        let Some(called) = shutdown.run_until_cancelled(self.call_webhook(delivery, now)).await else {
            let answer = "the migration service ended before there was an answer";
            self.master().settle_webhook_delivery(id, now, false, answer, Some(now)).await?;
            return Ok(false);
        };
        let taken = called.is_ok();
        let due_at = next_attempt(delivery, now).filter(|_| !taken);
        let answer = called.unwrap_or_else(|trouble| trouble);
        if !taken {
            tracing::warn!(service, id, answer, given_up = due_at.is_none(), "a webhook was not taken");
        }
        self.master().settle_webhook_delivery(id, now, taken, &answer, due_at).await?;
        Ok(taken)
    }

    async fn call_webhook(&self, delivery: &WebhookDelivery, now: OffsetDateTime) -> Result<String, String> {
        let way = self.webhook_ways().way(&delivery.service).ok_or("it is no longer configured")?;
        let place = way.place.as_ref().map_err(Clone::clone)?;
        let mut body = delivery.body.clone();
        body["deliveryId"] = json!(delivery.id.to_string());
        post_signed(&place.url, &place.secret, &delivery.id.to_string(), &body, now, way.patience).await
    }
}

/// When it is tried again; `None` where it was tried for too long.
fn next_attempt(delivery: &WebhookDelivery, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let pause = backoff(delivery.attempts, FIRST_PAUSE, LONGEST_PAUSE);
    Some(now + pause).filter(|at| *at - delivery.created_at < GIVE_UP_AFTER)
}
