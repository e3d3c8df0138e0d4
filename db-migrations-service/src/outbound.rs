//! Calls to others over HTTP: with a time limit, without following redirects, and, where they must be able to tell that it was
//! us, signed.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use kernel::{Secret, cause};
use serde_json::Value;
use sha2::Sha256;
use time::OffsetDateTime;

/// Whoever has not taken what they are told by then is told again later.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// When it was signed, seconds since 1970: whoever checks the signature refuses what is old.
const TIMESTAMP: &str = "profe-timestamp";
/// `v1=` and the hexadecimal HMAC-SHA256 of the timestamp, a dot, and the body.
const SIGNATURE: &str = "profe-signature";
/// By which a receiver knows what it was told already.
const DELIVERY: &str = "profe-delivery";

/// The client for all who are told over HTTP.
pub(crate) fn client() -> Result<&'static reqwest::Client, String> {
    static CLIENT: OnceLock<Result<reqwest::Client, String>> = OnceLock::new();
    let made = CLIENT.get_or_init(|| {
        // The client takes the process's provider for TLS; there may be one already, and then it is ours.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
        builder.build().map_err(|error| cause(&error))
    });
    made.as_ref().map_err(Clone::clone)
}

/// Sends, and says in one sentence why it was not taken. Never with the address, which may be a secret.
pub(crate) async fn post(request: reqwest::RequestBuilder) -> Result<String, String> {
    let answer = request.send().await.map_err(|error| cause(&error.without_url()))?;
    let status = answer.status();
    if status.is_success() { Ok(format!("it answered {status}")) } else { Err(format!("it answered {status}")) }
}

/// Posts a document that its receiver can tell to be ours, and knows again by `id`.
pub(crate) async fn post_signed(
    url: &Secret,
    secret: &Secret,
    id: &str,
    body: &Value,
    now: OffsetDateTime,
    patience: Duration,
) -> Result<String, String> {
    let (body, timestamp) = (body.to_string(), now.unix_timestamp().to_string());
    let signature = signature(secret, &timestamp, &body)?;
    let request = client()?
        .post(url.reveal())
        .timeout(patience)
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

/// A time that doubles with each attempt, from `first` up to `longest`; attempts are counted from 1.
pub(crate) fn backoff(attempt: i32, first: Duration, longest: Duration) -> Duration {
    let doublings = u32::try_from(attempt - 1).unwrap_or_default().min(16);
    first.saturating_mul(1 << doublings).min(longest)
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A URL as people may see it: without user, path and query.
pub(crate) fn shown(url: &Secret) -> String {
    reqwest::Url::parse(url.reveal()).map_or_else(
        |_| "?".to_owned(),
        |url| {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
        },
    )
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

    #[test]
    fn each_attempt_waits_twice_as_long_up_to_a_limit() {
        let seconds = |attempt| backoff(attempt, Duration::from_secs(5), Duration::from_mins(10)).as_secs();
        assert_eq!([1, 2, 3, 8, 9, i32::MAX].map(seconds), [5, 10, 20, 600, 600, 600]);
    }
}
