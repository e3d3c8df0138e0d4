//! `GET /api/schemas/{service}`

use axum::extract::State;
use web::{Json, Path, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::service::get::ServiceQuery;
use crate::operations::ServiceDetail;

/// One service's schemas with everything in them
#[utoipa::path(get, path = "/api/schemas/{service}", tag = "schemas",
    params(("service" = String, Path, description = "A service of the catalogue"), ServiceQuery),
    responses((status = 200, description = "Tables, columns, constraints, indexes, triggers and policies", body = ServiceDetail)))]
pub(in crate::http) async fn get_schema(
    State(api): State<Api>,
    Who(caller): Who,
    Path(service): Path<String>,
    Query(query): Query<ServiceQuery>,
) -> Result<Json<ServiceDetail>, Problem> {
    Ok(Json(api.operations.schema_detail(&service, query.environment.as_deref(), &caller).await?))
}
