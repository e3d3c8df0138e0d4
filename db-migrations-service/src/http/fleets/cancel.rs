//! `POST /api/fleets/runs/{id}/cancel`

use axum::extract::State;
use uuid::Uuid;
use web::{Json, Path, Problem};

use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::FleetRunView;

/// Call a run over a fleet off
///
/// Nothing more is begun, what is in hand is taken back, and what is done stands. Answers when that is so.
#[utoipa::path(post, path = "/api/fleets/runs/{id}/cancel", tag = "fleets",
    params(("id" = Uuid, Path, description = "A run over a fleet")),
    responses((status = 200, description = "How it stands", body = FleetRunView)))]
pub(in crate::http) async fn cancel_fleet_run(
    State(api): State<Api>,
    Who(caller): Who,
    Path(id): Path<Uuid>,
) -> Result<Json<FleetRunView>, Problem> {
    Ok(Json(api.operations.cancel_fleet_run(id, &caller).await?))
}
