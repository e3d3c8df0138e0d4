//! `GET /api/fleets/{fleet}`

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use web::{Json, Path, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::FleetStatus;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct FleetQuery {
    /// Also database by database.
    #[serde(default)]
    each: bool,
}

/// Where a fleet stands
///
/// Asks every database that the fleet has now: how many are at which version, and how many lack what.
#[utoipa::path(get, path = "/api/fleets/{fleet}", tag = "fleets",
    params(("fleet" = String, Path, description = "A fleet of the catalogue"), FleetQuery),
    responses((status = 200, description = "Where it stands", body = FleetStatus)))]
pub(in crate::http) async fn fleet_status(
    State(api): State<Api>,
    Who(caller): Who,
    Path(fleet): Path<String>,
    Query(query): Query<FleetQuery>,
) -> Result<Json<FleetStatus>, Problem> {
    Ok(Json(api.operations.fleet_status(&fleet, query.each, &caller).await?))
}
