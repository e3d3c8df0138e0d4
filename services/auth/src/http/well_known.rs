//! What other services read: keys that are believed, and sessions that are not believed any more.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use kernel::SessionId;
use serde::Serialize;
use service::{AsService, Fault, kinds};
use sha2::{Digest as _, Sha256};
use time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::state::Auth;
use crate::store::sessions;

/// Services forgive a token so much.
const LEEWAY: Duration = Duration::seconds(30);

/// Sessions that were ended while access tokens of theirs may still live.
#[derive(Serialize, ToSchema)]
pub(crate) struct Revoked {
    /// One for each session.
    revoked: Vec<RevokedSession>,
}

/// A session that was ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct RevokedSession {
    /// `sid` of its tokens.
    session: Uuid,
    /// When the last of them is over, Unix seconds.
    until: i64,
}

/// The keys by which access tokens are believed
///
/// RFC 7517. The next one is here a day before it signs.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "for services", security(()), responses(
    (status = 200, description = "A JSON Web Key Set", content_type = "application/json"),
    (status = 503, description = "No keys were read yet"),
))]
pub(crate) async fn keys(State(auth): State<Auth>) -> Result<Response, Fault> {
    let keys = auth.keys();
    if keys.is_empty() {
        return Err(Fault::new(kinds::TRY_AGAIN));
    }
    Ok(tagged(keys.published().to_json(), "public, max-age=300"))
}

/// The sessions that were ended while access tokens of theirs may still live
///
/// Asked for every five seconds, with `If-None-Match`.
#[utoipa::path(get, path = "/.well-known/revoked-sessions", tag = "for services", security(()), responses(
    (status = 200, description = "All of them", body = Revoked),
    (status = 304, description = "The same as before"),
))]
pub(crate) async fn revoked(State(auth): State<Auth>, AsService(tx): AsService) -> Result<Response, Fault> {
    let believed = (auth.terms.lifetime + LEEWAY).as_seconds_f64();
    let ended = sessions::revoked(tx, believed).await?;
    let session = |(session, until): (SessionId, i64)| RevokedSession { session: session.uuid(), until };
    let body = Revoked { revoked: ended.into_iter().map(session).collect() };
    Ok(tagged(serde_json::to_string(&body).unwrap_or_default(), "no-cache"))
}

/// With an entity tag of its content; the service's shell answers 304 by it.
fn tagged(body: String, keep: &'static str) -> Response {
    let tag = URL_SAFE_NO_PAD.encode(&Sha256::digest(&body)[..12]);
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, http::HeaderValue::from_static(keep));
    if let Ok(tag) = http::HeaderValue::from_str(&format!("\"{tag}\"")) {
        headers.insert(ETAG, tag);
    }
    response
}
