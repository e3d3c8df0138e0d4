//! `GET /health/redis`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use web::Json;

use crate::events::{Redis, RedisState};
use crate::http::Api;

/// The Redis that carries events.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct RedisAnswer {
    /// `healthy`; `away`, while events reach the other copies through the master database; `not_configured`.
    status: &'static str,
    /// Why it is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The key of the stream of events there: each installation has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "profe:events:3f0c1b0e-8a5e-4c1e-9d7b-2f6f0e3c9a11")]
    stream: Option<String>,
    /// How many listen to the events of this copy of the service.
    listeners: usize,
}

/// Whether the Redis that carries events answers
///
/// Nothing fails without it, so the answer is 200 in any case.
#[utoipa::path(get, path = "/health/redis", tag = "health",
    responses((status = 200, description = "Where it stands", body = RedisAnswer)))]
pub(in crate::http) async fn redis_health(State(api): State<Api>) -> Json<RedisAnswer> {
    let (status, reason) = match api.operations.redis().map(Redis::state) {
        None => ("not_configured", None),
        Some(RedisState::Connected) => ("healthy", None),
        Some(RedisState::Connecting) => ("away", Some("it was not reached yet".to_owned())),
        Some(RedisState::Away(reason)) => ("away", Some(reason)),
    };
    let stream = api.operations.redis().and_then(Redis::stream).map(str::to_owned);
    Json(RedisAnswer { status, reason, stream, listeners: api.operations.hub().listeners() })
}
