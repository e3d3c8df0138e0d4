//! `GET /api/database/connections`

use axum::extract::State;
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::database::DatabaseQuery;
use crate::http::databases::Answered;
use crate::operations::ConnectionsView;

/// Who is connected to a database
///
/// Sessions by state and application, open transactions, and who waits for whom.
#[utoipa::path(get, path = "/api/database/connections", tag = "database", params(DatabaseQuery),
    responses((status = 200, description = "Its sessions", body = Answered<ConnectionsView>)))]
pub(in crate::http) async fn database_connections(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<DatabaseQuery>,
) -> Result<Json<Answered<ConnectionsView>>, Problem> {
    Answered::of(api.operations.database_connections(&query.order()?, &caller).await?)
}
