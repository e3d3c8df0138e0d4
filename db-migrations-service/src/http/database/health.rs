//! `GET /api/database/health`

use axum::extract::State;
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::service::get::ServiceQuery;
use crate::operations::DatabaseHealth;

/// How a database is doing
///
/// Version, load, and whether it takes writes.
#[utoipa::path(get, path = "/api/database/health", tag = "database", params(ServiceQuery),
    responses((status = 200, description = "At a glance", body = DatabaseHealth)))]
pub(in crate::http) async fn database_health(
    State(api): State<Api>,
    Query(query): Query<ServiceQuery>,
) -> Result<Json<DatabaseHealth>, Problem> {
    Ok(Json(api.operations.database_health(query.environment.as_deref()).await?))
}
