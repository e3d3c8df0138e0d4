//! `GET /api/database/health`

use axum::extract::State;
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::database::DatabaseQuery;
use crate::http::databases::Answered;
use crate::operations::DatabaseHealth;

/// How a database is doing
///
/// Version, load, whether it takes writes, and schema by schema what an interrupted change left behind. An environment with
/// several databases is `healthy` where each of them is.
#[utoipa::path(get, path = "/api/database/health", tag = "database", params(DatabaseQuery),
    responses((status = 200, description = "At a glance", body = Answered<DatabaseHealth>)))]
pub(in crate::http) async fn database_health(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<DatabaseQuery>,
) -> Result<Json<Answered<DatabaseHealth>>, Problem> {
    let Json(mut whole) = Answered::of(api.operations.database_health(&query.order()?, &caller).await?)?;
    let all_well = whole.databases.iter().all(|one| one.view.problems.is_empty());
    if !all_well || !whole.unavailable.is_empty() {
        whole.view.status = "degraded";
    }
    Ok(Json(whole))
}
