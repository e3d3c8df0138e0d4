//! `GET /api/schemas`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::{AllSchemas, FingerprintView, ServiceSchemas};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(in crate::http) struct SchemasQuery {
    /// An environment of the catalogue. Default: the default environment.
    environment: Option<String>,
    /// Also the tables with everything of theirs, in `details`.
    #[serde(default)]
    with_tables: bool,
}

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
#[utoipa::path(get, path = "/api/schemas", tag = "schemas", params(SchemasQuery),
    responses((status = 200, description = "The schemas, counted", body = SchemasAnswer)))]
pub(in crate::http) async fn list_schemas(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<SchemasQuery>,
) -> Result<Json<SchemasAnswer>, Problem> {
    let environment = api.operations.environment(query.environment.as_deref())?.environment.clone();
    let AllSchemas { fingerprint, services } =
        api.operations.schemas(Some(&environment), query.with_tables, &caller).await?;
    Ok(Json(SchemasAnswer { environment, fingerprint, total: services.len(), services }))
}
