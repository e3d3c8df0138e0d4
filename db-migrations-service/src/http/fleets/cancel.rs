//! `POST /api/fleets/runs/{id}/cancel`

use axum::extract::State;
use http::StatusCode;
use uuid::Uuid;
use web::{Json, Path, Problem};

use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::FleetRunView;

/// Call a run over a fleet off
///
/// Nothing more is begun, what is in hand is taken back, and what is done stands. Answers when that is so, whichever process does
/// the run; with 202 where that process has not yet stopped after a quarter of a minute.
#[utoipa::path(post, path = "/api/fleets/runs/{id}/cancel", tag = "fleets",
    params(("id" = Uuid, Path, description = "A run over a fleet")),
    responses((status = 200, description = "It is called off", body = FleetRunView),
              (status = 202, description = "Whoever does it was asked to stop", body = FleetRunView)))]
pub(in crate::http) async fn cancel_fleet_run(
    State(api): State<Api>,
    Who(caller): Who,
    Path(id): Path<Uuid>,
) -> Result<(StatusCode, Json<FleetRunView>), Problem> {
    let run = api.operations.cancel_fleet_run(id, &caller).await?;
    let status = if run.finished_at.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(run)))
}
