//! `Idempotency-Key`: a request that is sent again is answered again, not done again.
//!
//! An answer is kept when the request was carried out, however that ended, or refused for good. A refusal that may come
//! out otherwise next time (busy, a database that is away, a failure of this program) lets go of the key.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use web::problem::PROBLEM_JSON;
use web::{Asked, Problem, kinds};

use super::answer::CarriedOut;
use super::auth::Who;
use super::{Api, codes};
use crate::master::idempotency::{Claim, KeptAnswer};
use crate::operations::OperationError;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const LONGEST: usize = 255;

pub(super) async fn layer(request: Request, next: Next) -> Response {
    let Some(value) = request.headers().get(KEY).filter(|_| request.method() == Method::POST) else {
        return next.run(request).await;
    };
    let key = value.to_str().map(|text| text.trim().to_owned()).unwrap_or_default();
    let (Some(api), Some(Who(caller))) =
        (request.extensions().get::<Api>().cloned(), request.extensions().get::<Who>().cloned())
    else {
        return Problem::new(kinds::INTERNAL).into_response();
    };
    if key.is_empty() || key.len() > LONGEST {
        return Problem::new(kinds::INVALID_HEADER)
            .detail(format!("Idempotency-Key is not 1 to {LONGEST} visible characters"))
            .cure("send a new UUID for each new request")
            .into_response();
    }
    // A task of its own: a caller who hangs up must not leave the key claimed and unanswered.
    let work = tokio::spawn(async move { once(&api, caller.actor.as_str(), &key, request, next).await });
    work.await.unwrap_or_else(|_| Problem::new(kinds::INTERNAL).into_response())
}

async fn once(api: &Api, actor: &str, key: &str, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = match web::read_body(body).await {
        Ok(body) => body,
        Err(problem) => return problem.into_response(),
    };
    let mut hash = Sha256::new();
    for part in [parts.method.as_str().as_bytes(), parts.uri.to_string().as_bytes(), &body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let master = api.operations.master();
    match master.claim_key(actor, key, &hash.finalize()).await {
        Err(error) => return Problem::from(OperationError::from(error)).into_response(),
        Ok(Claim::Answered(answer)) => return replay(answer),
        Ok(Claim::Reused) => {
            return Problem::new(codes::IDEMPOTENCY_KEY_REUSED)
                .detail("the Idempotency-Key came before with another method, path or body")
                .cure("use a new key for a new request")
                .into_response();
        }
        Ok(Claim::InProgress) => {
            return Problem::new(codes::IDEMPOTENCY_IN_PROGRESS)
                .detail("a request with this Idempotency-Key has no answer yet")
                .cure("ask again with the same key in a moment")
                .into_response();
        }
        Ok(Claim::First) => {}
    }
    let mut guard = Guard { api, actor, key, settled: false };
    // Worded here already: what is kept is what was sent.
    let asked = Asked::of(&parts);
    let response = asked.word(next.run(Request::from_parts(parts, Body::from(body))).await);
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let is_refusal = content_type.as_deref() == Some(PROBLEM_JSON) && head.extensions.get::<CarriedOut>().is_none();
    if !is_refusal || is_final(head.status) {
        let answer = KeptAnswer { status: head.status.as_u16(), content_type, body: bytes.to_vec() };
        if let Err(error) = master.keep_answer(actor, key, &answer).await {
            tracing::warn!(%error, "an answer could not be kept for its Idempotency-Key");
        }
        guard.settled = true;
    } else if let Err(error) = master.release_key(actor, key).await {
        tracing::warn!(%error, "an Idempotency-Key could not be released");
    } else {
        guard.settled = true;
    }
    Response::from_parts(head, Body::from(bytes))
}

/// A handler that panics unwinds through here and must not leave its key claimed.
struct Guard<'a> {
    api: &'a Api,
    actor: &'a str,
    key: &'a str,
    settled: bool,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !self.settled {
            let (master, actor, key) =
                (self.api.operations.master().clone(), self.actor.to_owned(), self.key.to_owned());
            tokio::spawn(async move { master.release_key(&actor, &key).await });
        }
    }
}

fn is_final(status: StatusCode) -> bool {
    !status.is_server_error()
        && !matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::CONFLICT | StatusCode::REQUEST_TIMEOUT
        )
}

fn replay(answer: KeptAnswer) -> Response {
    let mut response = (StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK), answer.body).into_response();
    response.headers_mut().remove(CONTENT_TYPE);
    if let Some(value) = answer.content_type.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
