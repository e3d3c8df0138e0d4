//! `GET /api/fleets/runs` and `/api/fleets/runs/{id}`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Json, Path, Problem, Query};

use crate::http::auth::Who;
use crate::http::{Api, page};
use crate::operations::{FleetProgress, FleetRunView};

const PAGE: u32 = 50;
const LONGEST_PAGE: u32 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct FleetRunsQuery {
    /// Only of this fleet.
    fleet: Option<String>,
    /// Runs per page, 1 to 500. Default: 50.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next` of the page before.
    before: Option<Uuid>,
}

/// A page of runs over fleets.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct FleetRunsAnswer {
    /// Newest first.
    runs: Vec<FleetRunView>,
    /// `before` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Uuid>,
}

/// Runs over fleets
#[utoipa::path(get, path = "/api/fleets/runs", tag = "fleets", params(FleetRunsQuery),
    responses((status = 200, description = "A page of them, newest first", body = FleetRunsAnswer)))]
pub(in crate::http) async fn list_fleet_runs(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<FleetRunsQuery>,
) -> Result<Json<FleetRunsAnswer>, Problem> {
    let limit = page::size(query.limit, PAGE, LONGEST_PAGE)?;
    let runs = api.operations.fleet_runs(query.fleet.as_deref(), query.before, limit, &caller).await?;
    let next = page::next(&runs, limit as usize, |run| run.run_id);
    Ok(Json(FleetRunsAnswer { runs, next }))
}

/// One run over a fleet
#[utoipa::path(get, path = "/api/fleets/runs/{id}", tag = "fleets",
    params(("id" = Uuid, Path, description = "A run over a fleet")),
    responses((status = 200, description = "How it stands, wave by wave and server by server", body = FleetProgress)))]
pub(in crate::http) async fn get_fleet_run(
    State(api): State<Api>,
    Who(caller): Who,
    Path(id): Path<Uuid>,
) -> Result<Json<FleetProgress>, Problem> {
    Ok(Json(api.operations.fleet_progress(id, &caller).await?))
}
