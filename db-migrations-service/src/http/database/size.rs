//! `GET /api/database/size`

use axum::extract::State;
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::database::DatabaseQuery;
use crate::http::databases::Answered;
use crate::operations::SizeView;

/// How much room a database takes
///
/// By schema, and the largest tables.
#[utoipa::path(get, path = "/api/database/size", tag = "database", params(DatabaseQuery),
    responses((status = 200, description = "Its sizes", body = Answered<SizeView>)))]
pub(in crate::http) async fn database_size(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<DatabaseQuery>,
) -> Result<Json<Answered<SizeView>>, Problem> {
    Answered::of(api.operations.database_size(&query.order()?, &caller).await?)
}
