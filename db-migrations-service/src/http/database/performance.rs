//! `GET /api/database/performance`

use axum::extract::State;
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::service::get::ServiceQuery;
use crate::operations::Performance;

/// How well a database works
///
/// Caches, conflicts, tables read from end to end, and the statements that take the time.
#[utoipa::path(get, path = "/api/database/performance", tag = "database", params(ServiceQuery),
    responses((status = 200, description = "Its figures", body = Performance)))]
pub(in crate::http) async fn database_performance(
    State(api): State<Api>,
    Query(query): Query<ServiceQuery>,
) -> Result<Json<Performance>, Problem> {
    Ok(Json(api.operations.database_performance(query.environment.as_deref()).await?))
}
