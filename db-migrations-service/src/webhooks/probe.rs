//! A test of the services' webhooks, to see that each would be told.

use futures_util::future::join_all;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::operations::{Caller, OperationError, Operations};
use crate::outbound::post_signed;

/// What one service's webhook answered to a test.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookTest {
    /// Whose it is.
    pub service: String,
    /// Where, without what may be a secret.
    pub to: String,
    /// It took it.
    pub taken: bool,
    /// What it answered, or why it could not be asked.
    pub answer: String,
}

impl Operations {
    /// Calls the webhook of a service, or of every one, with a test. Nothing is written down of it.
    ///
    /// # Errors
    /// A service that there is not, or that the caller may not touch.
    pub async fn test_webhooks(
        &self,
        service: Option<&str>,
        caller: &Caller,
        now: OffsetDateTime,
    ) -> Result<Vec<WebhookTest>, OperationError> {
        self.check_listed(service, None, caller)?;
        let ways = self.webhook_ways();
        let wanted = ways.services().filter(|name| service.is_none_or(|one| one == *name) && caller.may_touch(name));
        Ok(join_all(wanted.map(async |name| {
            let way = ways.way(name)?;
            let id = Uuid::now_v7().to_string();
            let body = json!({ "deliveryId": id, "type": "applied", "test": true, "environment":
                self.targets().default_environment(), "service": name, "runId": null, "actor": caller.actor, "migrations": [] });
            let called = match &way.place {
                Ok(place) => post_signed(&place.url, &place.secret, &id, &body, now, way.patience).await,
                Err(problem) => Err(problem.clone()),
            };
            let (taken, to) = (called.is_ok(), way.shown());
            Some(WebhookTest { service: name.to_owned(), to, taken, answer: called.unwrap_or_else(|trouble| trouble) })
        }))
        .await
        .into_iter()
        .flatten()
        .collect())
    }
}
