//! `GET /api/database/health`

use axum::extract::State;
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::database::DatabaseQuery;
use crate::operations::DatabaseHealth;

/// How a database is doing
///
/// Version, load, whether it takes writes, and schema by schema what an interrupted change left behind.
#[utoipa::path(get, path = "/api/database/health", tag = "database", params(DatabaseQuery),
    responses((status = 200, description = "At a glance", body = DatabaseHealth)))]
pub(in crate::http) async fn database_health(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<DatabaseQuery>,
) -> Result<Json<DatabaseHealth>, Problem> {
    Ok(Json(api.operations.database_health(&query.order()?, &caller).await?))
}
