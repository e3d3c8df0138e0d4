//! `GET /api/fleets/{fleet}/plan`

use axum::extract::State;
use web::{Json, Path, Problem};

use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::{FleetAim, FleetPlan};

/// What a run over a fleet would do
///
/// Asks every database, and answers by plan: most databases share one. Takes no lock and changes nothing.
#[utoipa::path(get, path = "/api/fleets/{fleet}/plan", tag = "fleets",
    params(("fleet" = String, Path, description = "A fleet of the catalogue")),
    responses((status = 200, description = "The plans", body = FleetPlan)))]
pub(in crate::http) async fn fleet_plan(
    State(api): State<Api>,
    Who(caller): Who,
    Path(fleet): Path<String>,
) -> Result<Json<FleetPlan>, Problem> {
    Ok(Json(api.operations.fleet_plan(&fleet, &FleetAim::Forward { to: None }, &caller).await?))
}
