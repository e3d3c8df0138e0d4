//! `GET /api/schemas`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::service::get::ServiceQuery;
use crate::operations::{AllSchemas, FingerprintView, ServiceSchemas};

/// Every service's schemas.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct SchemasAnswer {
    /// The environment.
    environment: String,
    /// Of all managed schemas together.
    fingerprint: FingerprintView,
    /// By service, in the catalogue's order.
    services: Vec<ServiceSchemas>,
    /// How many services.
    total: usize,
}

/// Every service's schemas, as the target has them
#[utoipa::path(get, path = "/api/schemas", tag = "schemas", params(ServiceQuery),
    responses((status = 200, description = "The schemas, counted", body = SchemasAnswer)))]
pub(in crate::http) async fn list_schemas(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<ServiceQuery>,
) -> Result<Json<SchemasAnswer>, Problem> {
    let environment = api.operations.environment(query.environment.as_deref())?.environment.clone();
    let AllSchemas { fingerprint, services } = api.operations.schemas(Some(&environment), &caller).await?;
    Ok(Json(SchemasAnswer { environment, fingerprint, total: services.len(), services }))
}
