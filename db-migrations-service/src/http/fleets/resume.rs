//! `POST /api/fleets/runs/{id}/resume`

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use web::{JsonOrNothing, Path, Problem};

use super::run::answer;
use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::FleetRunView;

/// How to go on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct ResumeBody {
    /// Answer when it is over instead of at once.
    wait: bool,
}

/// Go on with a run where it stopped
///
/// What failed is tried again, what is done is left alone.
#[utoipa::path(post, path = "/api/fleets/runs/{id}/resume", tag = "fleets", request_body = ResumeBody,
    params(("id" = Uuid, Path, description = "A run over a fleet")),
    responses((status = 202, description = "It is under way", body = FleetRunView),
              (status = 200, description = "It is over", body = FleetRunView)))]
pub(in crate::http) async fn resume_fleet_run(
    State(api): State<Api>,
    Who(caller): Who,
    Path(id): Path<Uuid>,
    JsonOrNothing(body): JsonOrNothing<ResumeBody>,
) -> Result<Response, Problem> {
    let handle = api.operations.resume_fleet_run(id, &caller).await?;
    answer(&api, &handle, body.wait, &caller).await
}
