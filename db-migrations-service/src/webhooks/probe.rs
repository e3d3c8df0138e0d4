//! A test of the services' webhooks, to see that each would be told.

use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use tokio::net::TcpStream;
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

/// For so long somebody who listens is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

impl Operations {
    /// Whether somebody listens where each service's webhook is, without telling them anything: the service, the place as people
    /// may see it (empty where it is not known), and why not.
    pub(crate) async fn reach_webhooks(&self) -> Vec<(String, String, Result<(), String>)> {
        let ways = self.webhook_ways();
        join_all(ways.services().map(async |name| {
            let way = ways.way(name)?;
            let shown = way.place.as_ref().map(|_| way.shown()).unwrap_or_default();
            let reached = match &way.place {
                Ok(place) => listens(place.url.reveal()).await,
                Err(problem) => Err(problem.clone()),
            };
            Some((name.to_owned(), shown, reached))
        }))
        .await
        .into_iter()
        .flatten()
        .collect()
    }

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

async fn listens(url: &str) -> Result<(), String> {
    let url = reqwest::Url::parse(url).map_err(|error| error.to_string())?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or_default();
    match tokio::time::timeout(PATIENCE, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("nobody answered within {} s", PATIENCE.as_secs())),
    }
}
