//! What a webhook is told: one JSON document for each thing that begins to fire and that is over, signed.

use kernel::Secret;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::master::alerts::Delivery;
use crate::outbound::{PATIENCE, post_signed};

/// What is told of an alert.
pub(super) fn body(delivery: &Delivery) -> Value {
    json!({ "deliveryId": delivery.id.to_string(), "status": delivery.status, "test": false, "alert": delivery.alert })
}

/// Posts it to one webhook.
pub(super) async fn send(
    url: &Secret,
    secret: &Secret,
    id: &str,
    body: &Value,
    now: OffsetDateTime,
) -> Result<String, String> {
    post_signed(url, secret, id, body, now, PATIENCE).await
}
