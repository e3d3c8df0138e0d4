//! `POST /api/webhooks/{service}`: from outside, so signed, as the migration service signs what it tells (`profe-timestamp`,
//! `profe-signature`: `v1=` and the hexadecimal HMAC-SHA-256 of the timestamp, a dot, and the body).
//!
//! What is not signed, signed with another secret, or older than five minutes goes no further. Within them the same delivery may come
//! twice; its receiver knows it by `profe-delivery`.

use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use kernel::Secret;
use sha2::Sha256;
use time::OffsetDateTime;
use web::{Problem, kinds};

use crate::answer::Answer;
use crate::core::Core;
use crate::forward::{Plan, refused};
use crate::headers::{self, Client};
use crate::payload::{Fault, Metered, Payload};
use crate::problems;
use crate::routing::Routing;

const PREFIXES: [&str; 2] = ["/api/webhooks/", "/api/v1/webhooks/"];
/// A delivery's body, bytes.
const LIMIT: u64 = 1 << 20;
/// A signature is good for so long.
const OLDEST_S: i64 = 300;
const TIMEOUT: Duration = Duration::from_secs(10);

/// For whom a webhook is, where the path is one's.
pub(crate) fn name(path: &str) -> Option<&str> {
    PREFIXES.iter().find_map(|prefix| path.strip_prefix(prefix)).filter(|name| !name.is_empty())
}

/// Verifies it and passes it on.
pub(crate) async fn take(
    core: &Core,
    routing: &Routing,
    name: &str,
    mut parts: Parts,
    body: Incoming,
    client: Client,
    id: &HeaderValue,
) -> Result<Response<Answer>, Problem> {
    if parts.method != Method::POST {
        return Err(Problem::new(kinds::METHOD_NOT_ALLOWED).header(ALLOW, "POST"));
    }
    let upstream = routing.upstreams.get(name);
    let wanted = upstream.and_then(|upstream| Some((upstream, upstream.copies().plan.webhook.as_ref()?)));
    let (Some((upstream, path)), Some(secret)) = (wanted, core.webhook_secrets.get(name)) else {
        return Err(Problem::new(kinds::NOT_FOUND).detail("no service of this name takes webhooks"));
    };
    let (metered, progress) = Metered::new(body, LIMIT, core.times.body);
    let Ok(body) = metered.collect().await else { return Err(refused(progress.fault().unwrap_or(Fault::Broken))) };
    let body = body.to_bytes();
    verify(secret, &parts.headers, &body, OffsetDateTime::now_utc())?;
    headers::to_service(&mut parts.headers, client, id);
    parts.uri = path.parse().map_err(|_| Problem::new(kinds::INTERNAL))?;
    parts.version = Version::HTTP_11;
    let metrics = core.metrics.of("webhooks");
    let copies = upstream.copies();
    let plan = Plan { core, copies, metrics: &metrics, timeout: TIMEOUT, again: false, progress: None };
    let mut response = plan.send(Request::from_parts(parts, Payload::Whole(Some(body)))).await?;
    headers::to_client(response.headers_mut(), id);
    Ok(response)
}

fn verify(secret: &Secret, headers: &HeaderMap, body: &Bytes, now: OffsetDateTime) -> Result<(), Problem> {
    let refused = |why: &str| Problem::new(problems::WEBHOOK_REFUSED).detail(why);
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let timestamp = text("profe-timestamp").ok_or_else(|| refused("there is no profe-timestamp"))?;
    let at: i64 = timestamp.parse().map_err(|_| refused("profe-timestamp is no number of seconds"))?;
    let given = text("profe-signature").and_then(|text| text.strip_prefix("v1=")).and_then(unhex);
    let given = given.ok_or_else(|| refused("there is no profe-signature of the form v1=<hexadecimal digits>"))?;
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).map_err(|_| Problem::new(kinds::INTERNAL))?;
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    // Compared in the same time whatever is right of it.
    mac.verify_slice(&given).map_err(|_| refused("profe-signature is not of this body and profe-timestamp"))?;
    if now.unix_timestamp().abs_diff(at) > OLDEST_S as u64 {
        return Err(refused("profe-timestamp is older than five minutes"));
    }
    Ok(())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let [high, low] = pair else { return None };
        let digit = |b: u8| (b as char).to_digit(16);
        Some((digit(*high)? * 16 + digit(*low)?) as u8)
    };
    digits.map(byte).collect()
}
