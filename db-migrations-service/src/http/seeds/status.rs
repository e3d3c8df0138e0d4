//! `GET /api/seeds/status`

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::service::get::ServiceQuery;

/// Which seeds ran.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct SeedStatusAnswer {
    /// The environment.
    environment: String,
    /// Every seed that fits the environment: service, schema, name, state (`applied`, `pending`, `changed`), appliedAt,
    /// appliedBy.
    #[schema(value_type = Vec<Object>)]
    seeds: Vec<Value>,
    /// How many.
    total: usize,
}

/// Which seeds ran
#[utoipa::path(get, path = "/api/seeds/status", tag = "seeds", params(ServiceQuery),
    responses((status = 200, description = "The seeds", body = SeedStatusAnswer)))]
pub(in crate::http) async fn seed_status(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<ServiceQuery>,
) -> Result<Json<SeedStatusAnswer>, Problem> {
    let environment = api.operations.environment(query.environment.as_deref())?.environment.clone();
    let seeds = api.operations.seed_status(Some(&environment), &caller).await?;
    let seeds: Vec<Value> = seeds.iter().filter_map(|seed| serde_json::to_value(seed).ok()).collect();
    Ok(Json(SeedStatusAnswer { environment, total: seeds.len(), seeds }))
}
