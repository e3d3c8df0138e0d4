//! `GET /api/migrations/service/{name}/status`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use web::{Json, Path, Problem, Query};

use super::get::{ServiceQuery, one};
use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::ServiceSummary;

/// Where one service stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct ServiceStatusAnswer {
    /// The environment.
    environment: String,
    /// Where it stands.
    #[serde(flatten)]
    summary: ServiceSummary,
}

/// Where one service stands
#[utoipa::path(get, path = "/api/migrations/service/{name}/status", tag = "per service",
    params(("name" = String, Path, description = "A service of the catalogue"), ServiceQuery),
    responses((status = 200, description = "Where it stands", body = ServiceStatusAnswer)))]
pub(in crate::http) async fn service_status(
    State(api): State<Api>,
    Who(caller): Who,
    Path(name): Path<String>,
    Query(query): Query<ServiceQuery>,
) -> Result<Json<ServiceStatusAnswer>, Problem> {
    let (environment, status) = one(&api, &caller, &name, query.environment.as_deref()).await?;
    Ok(Json(ServiceStatusAnswer { environment, summary: ServiceSummary::from(&status) }))
}
