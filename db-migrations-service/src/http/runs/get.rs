//! `GET /api/migrations/runs/{migrationId}`

use axum::extract::State;
use http::HeaderMap;
use uuid::Uuid;
use web::{Json, Language, Path, Problem};

use crate::http::Api;
use crate::http::answer::RunAnswer;
use crate::http::auth::Who;

/// One run
#[utoipa::path(get, path = "/api/migrations/runs/{migrationId}", tag = "runs",
    params(("migrationId" = Uuid, Path, description = "The run's id")),
    responses((status = 200, description = "Where it stands", body = RunAnswer)))]
pub(in crate::http) async fn get_run(
    State(api): State<Api>,
    Who(caller): Who,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
) -> Result<Json<RunAnswer>, Problem> {
    let record = api.operations.run(id, &caller).await?;
    let language = Language::of(&headers);
    Ok(Json(
        api.operations
            .live_run(id)
            .map_or_else(|| RunAnswer::of(record, language), |run| RunAnswer::live(&run, language)),
    ))
}
