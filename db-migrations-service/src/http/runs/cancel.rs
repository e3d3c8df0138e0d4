//! `POST /api/migrations/runs/{migrationId}/cancel`

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use uuid::Uuid;
use web::{Json, Language, Path, Problem};

use crate::http::Api;
use crate::http::answer::RunAnswer;
use crate::http::auth::Who;

/// Stop a run
///
/// What is in hand is taken back, what is done stands. The answer shows the run as it is when the stop is asked for.
#[utoipa::path(post, path = "/api/migrations/runs/{migrationId}/cancel", tag = "runs",
    params(("migrationId" = Uuid, Path, description = "The run's id")),
    responses((status = 202, description = "It is being stopped", body = RunAnswer)))]
pub(in crate::http) async fn cancel_run(
    State(api): State<Api>,
    Who(caller): Who,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
) -> Result<(StatusCode, Json<RunAnswer>), Problem> {
    let record = api.operations.cancel_run(id, &caller).await?;
    Ok((StatusCode::ACCEPTED, Json(RunAnswer::of(record, Language::of(&headers)))))
}
