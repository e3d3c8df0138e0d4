//! `GET /api/fleets/runs/{id}/targets`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Json, Path, Problem, Query};

use crate::http::auth::Who;
use crate::http::{Api, page};
use crate::master::fleets::{FleetTargetRecord, FleetTargetState};

const PAGE: u32 = 100;
const LONGEST_PAGE: u32 = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct TargetsQuery {
    /// Only those that are `pending`, `running`, `applied`, `rolled_back`, `skipped` or `failed`.
    state: Option<String>,
    /// Databases per page, 1 to 1000. Default: 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<i32>,
}

/// A page of the databases of a run.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct TargetsAnswer {
    /// In the order of their turns.
    targets: Vec<FleetTargetRecord>,
    /// `after` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i32>,
}

/// What became of each database of a run
#[utoipa::path(get, path = "/api/fleets/runs/{id}/targets", tag = "fleets",
    params(("id" = Uuid, Path, description = "A run over a fleet"), TargetsQuery),
    responses((status = 200, description = "A page of them", body = TargetsAnswer)))]
pub(in crate::http) async fn list_fleet_targets(
    State(api): State<Api>,
    Who(caller): Who,
    Path(id): Path<Uuid>,
    Query(query): Query<TargetsQuery>,
) -> Result<Json<TargetsAnswer>, Problem> {
    let limit = page::size(query.limit, PAGE, LONGEST_PAGE)?;
    let read =
        |word: &str| page::one_of(FleetTargetState::ALL, FleetTargetState::as_str, "state", word, "database of a run");
    let state = query.state.as_deref().map(read).transpose()?;
    let targets = api.operations.fleet_run_targets(id, state, query.after, limit, &caller).await?;
    let next = page::next(&targets, limit as usize, |target| target.place);
    Ok(Json(TargetsAnswer { targets, next }))
}
