//! `Idempotency-Key`: a request that is sent again is answered again, not done again.
//!
//! The answer is kept in the transaction of what was done, so there is neither one without the other. A request that was
//! refused leaves nothing behind and may be sent again with its key. Answers are kept for a day.

use axum::body::Body;
use axum::extract::{FromRef, FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};
use postgres_link::tenant::{TenantTx, TxError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use web::{Json, Problem, kinds as shared};

use crate::caller::SignedIn;
use crate::fault::Fault;
use crate::kinds;
use crate::platform::Platform;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const LONGEST: usize = 255;

/// A body, and whether the request is to be done once.
#[derive(Debug)]
pub struct Keyed<T> {
    /// The body.
    pub body: T,
    /// Begin with it, before anything is written.
    pub once: Once,
}

/// A request that may have come before.
#[derive(Debug)]
pub struct Once(Option<Key>);

#[derive(Debug)]
struct Key {
    user: Uuid,
    name: String,
    request: Vec<u8>,
}

/// What a request is answered, and again when it comes again.
#[derive(Debug, Clone)]
pub struct Answer {
    status: StatusCode,
    location: Option<String>,
    body: String,
}

impl Answer {
    /// Something was made, which stands at `location`.
    pub fn created(location: String, body: &impl Serialize) -> Self {
        Self { location: Some(location), ..Self::new(StatusCode::CREATED, body) }
    }

    /// A body with this status.
    pub fn new(status: StatusCode, body: &impl Serialize) -> Self {
        // Answers are derived types of texts, numbers and lists: nothing of it can fail to be written.
        Self { status, location: None, body: serde_json::to_string(body).unwrap_or_default() }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, [(CONTENT_TYPE, "application/json")], self.body).into_response();
        if let Some(location) = self.location.and_then(|location| HeaderValue::from_str(&location).ok()) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Keyed<T>
where
    Platform: FromRef<S>,
{
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let Some(value) = request.headers().get(KEY) else {
            let Json(body) = Json::from_request(request, state).await?;
            return Ok(Self { body, once: Once(None) });
        };
        let key = value.to_str().map(|text| text.trim().to_owned()).unwrap_or_default();
        if key.is_empty() || key.len() > LONGEST {
            let problem = Problem::new(shared::INVALID_HEADER);
            let problem = problem.detail(format!("Idempotency-Key is not 1 to {LONGEST} visible characters"));
            return Err(problem.cure("send a new UUID for each new request").into());
        }
        let (mut parts, body) = request.into_parts();
        let caller = <SignedIn as axum::extract::FromRequestParts<S>>::from_request_parts(&mut parts, state).await?;
        let bytes = web::read_body(body).await?;
        let mut hash = Sha256::new();
        for part in [parts.method.as_str().as_bytes(), parts.uri.to_string().as_bytes(), &bytes] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let once = Once(Some(Key { user: caller.user().uuid(), name: key, request: hash.finalize().to_vec() }));
        let Json(body) = Json::from_request(Request::from_parts(parts, Body::from(bytes)), state).await?;
        Ok(Self { body, once })
    }
}

/// What [`Once::begin`] found.
#[derive(Debug)]
pub enum Begun {
    /// It is to be done; [`First::keep`] ends it.
    First(First),
    /// It was done: this is the answer.
    Before(Response),
}

/// A request that comes for the first time, or without a key.
#[derive(Debug)]
pub struct First(Option<Key>);

impl Once {
    /// Looks whether the request was done, as the transaction's first statement.
    ///
    /// # Errors
    /// 409 while the first one is under way, 422 where the key came with another request; otherwise see [`TxError`].
    pub async fn begin(self, tx: &mut TenantTx) -> Result<Begun, Fault> {
        let Some(key) = self.0 else { return Ok(Begun::First(First(None))) };
        let lock = lock(&key);
        let row = tx.query_one(CLAIM, &[&key.user, &key.name, &lock, &key.request]).await?;
        if row.get::<_, bool>("is_first") {
            return Ok(Begun::First(First(Some(key))));
        }
        let before: Option<(bool, i16)> = row.get::<_, Option<bool>>("is_same").zip(row.get("status"));
        match before {
            Some((false, _)) => Err(Problem::new(kinds::IDEMPOTENCY_KEY_REUSED)
                .detail("the Idempotency-Key came before with another method, path or body")
                .cure("use a new key for a new request")
                .into()),
            Some((true, status)) => {
                let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
                let answer =
                    Answer { status: status.unwrap_or_default(), location: row.get("location"), body: row.get("body") };
                let mut response = answer.into_response();
                response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
                Ok(Begun::Before(response))
            }
            None => Err(Problem::new(kinds::IDEMPOTENCY_IN_PROGRESS)
                .detail("a request with this Idempotency-Key has no answer yet")
                .cure("ask again with the same key in a moment")
                .into()),
        }
    }
}

impl First {
    /// Commits what was done together with its answer.
    ///
    /// # Errors
    /// See [`TxError`]; nothing was done then, but for a commit in doubt, which the same key makes certain.
    pub async fn keep(self, tx: TenantTx, answer: Answer) -> Result<Response, TxError> {
        match self.0 {
            None => tx.commit().await?,
            Some(key) => {
                let status = i16::try_from(answer.status.as_u16()).unwrap_or_default();
                let parameters: [&(dyn postgres_link::tenant::types::ToSql + Sync); 5] =
                    [&key.user, &key.name, &status, &answer.location, &answer.body];
                tx.last().execute_some(KEEP, &parameters).await?;
            }
        }
        Ok(answer.into_response())
    }
}

/// Two requests with one key never run side by side: the lock is held until the end of the first one's transaction. An
/// answer that is a day old is none any more.
const CLAIM: &str = "\
WITH free AS MATERIALIZED (SELECT pg_try_advisory_xact_lock($3) AS got),
made AS (
    INSERT INTO public.idempotent_answers AS a (user_id, key, request_hash)
    SELECT $1, $2, $4 FROM free WHERE got
    ON CONFLICT (user_id, key) DO UPDATE
        SET request_hash = excluded.request_hash, status = NULL, location = NULL, body = NULL, created_at = now()
        WHERE a.created_at < now() - interval '24 hours'
    RETURNING 1
)
SELECT EXISTS (SELECT FROM made) AS is_first, a.request_hash = $4 AS is_same, a.status, a.location, a.body
FROM free LEFT JOIN public.idempotent_answers a
    ON a.user_id = $1 AND a.key = $2 AND a.created_at >= now() - interval '24 hours'";

const KEEP: &str =
    "UPDATE public.idempotent_answers SET status = $3, location = $4, body = $5 WHERE user_id = $1 AND key = $2";

/// The advisory lock of a key.
fn lock(key: &Key) -> i64 {
    let digest = Sha256::new().chain_update(key.user.as_bytes()).chain_update(key.name.as_bytes()).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}
