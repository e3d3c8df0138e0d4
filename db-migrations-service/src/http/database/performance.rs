//! `GET /api/database/performance`

use axum::extract::State;
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::database::DatabaseQuery;
use crate::http::databases::Answered;
use crate::operations::Performance;

/// How well a database works
///
/// Caches, conflicts, tables read from end to end, the statements that take the time; indexes that nothing uses, foreign keys
/// that lack one, and room that rows no longer need.
#[utoipa::path(get, path = "/api/database/performance", tag = "database", params(DatabaseQuery),
    responses((status = 200, description = "Its figures", body = Answered<Performance>)))]
pub(in crate::http) async fn database_performance(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<DatabaseQuery>,
) -> Result<Json<Answered<Performance>>, Problem> {
    Answered::of(api.operations.database_performance(&query.order()?, &caller).await?)
}
