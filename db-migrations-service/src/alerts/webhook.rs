//! What a webhook is told: one JSON document for each thing that begins to fire and that is over, signed.

use hmac::{Hmac, KeyInit, Mac};
use kernel::Secret;
use serde_json::{Value, json};
use sha2::Sha256;
use time::OffsetDateTime;

use super::ways::{client, hex, post};
use crate::master::alerts::Delivery;

/// When it was signed, seconds since 1970: whoever checks the signature refuses what is old.
const TIMESTAMP: &str = "profe-timestamp";
/// `v1=` and the hexadecimal HMAC-SHA256 of the timestamp, a dot, and the body.
const SIGNATURE: &str = "profe-signature";
/// By which a receiver knows what it was told already.
const DELIVERY: &str = "profe-delivery";

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
    let (body, timestamp) = (body.to_string(), now.unix_timestamp().to_string());
    let signature = signature(secret, &timestamp, &body)?;
    let request = client()?
        .post(url.reveal())
        .header("content-type", "application/json")
        .header(TIMESTAMP, timestamp)
        .header(SIGNATURE, signature)
        .header(DELIVERY, id);
    post(request.body(body)).await
}

fn signature(secret: &Secret, timestamp: &str, body: &str) -> Result<String, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).map_err(|error| error.to_string())?;
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    Ok(format!("v1={}", hex(&mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf '1700000000.{}' | openssl dgst -sha256 -hmac geheim`
    #[test]
    fn the_signature_is_what_anybody_can_check() {
        let signed = signature(&Secret::new("geheim"), "1700000000", "{}").expect("any key will do");
        assert_eq!(signed, "v1=75e8aa01e776401a6bfda6664664c1271ca25506052e3b8c43308bdf92f3c8d5");
    }
}
