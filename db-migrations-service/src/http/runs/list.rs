//! `GET /api/migrations/runs`

use axum::extract::State;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Json, Language, Problem, Query};

use crate::http::Api;
use crate::http::answer::RunAnswer;
use crate::http::auth::Who;
use crate::http::page;
use crate::operations::{RunFilter, RunState};

/// Runs per page, where the request does not say.
const PAGE: u32 = 50;
const LONGEST_PAGE: u32 = 200;

const STATES: [RunState; 5] =
    [RunState::Running, RunState::Completed, RunState::Failed, RunState::Cancelled, RunState::Interrupted];

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(in crate::http) struct RunsQuery {
    /// Only this environment: all of its databases.
    environment: Option<String>,
    /// Only runs asked for this service.
    service: Option<String>,
    /// Only `running`, `completed`, `failed`, `cancelled` or `interrupted`.
    status: Option<String>,
    /// Runs per page, 1 to 200. Default: 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    before: Option<Uuid>,
}

/// A page of runs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct RunsAnswer {
    /// Newest first.
    runs: Vec<RunAnswer>,
    /// How many there are in all that the request asks for.
    total: i64,
    /// `before` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Uuid>,
}

/// Runs, rollbacks and seedings
#[utoipa::path(get, path = "/api/migrations/runs", tag = "runs", params(RunsQuery),
    responses((status = 200, description = "A page of them, newest first", body = RunsAnswer)))]
pub(in crate::http) async fn list_runs(
    State(api): State<Api>,
    Who(caller): Who,
    headers: HeaderMap,
    Query(query): Query<RunsQuery>,
) -> Result<Json<RunsAnswer>, Problem> {
    let limit = page::size(query.limit, PAGE, LONGEST_PAGE)?;
    if let Some(word) = &query.status {
        page::one_of(STATES, RunState::as_str, "status", word, "run")?;
    }
    let filter = RunFilter {
        environments: api.operations.listed_databases(query.environment.as_deref())?,
        service: query.service,
        state: query.status,
        limit: limit.into(),
        before: query.before,
        services: None,
    };
    let (records, total) = api.operations.runs(filter, &caller).await?;
    let next = page::next(&records, limit as usize, |run| run.id);
    let language = Language::of(&headers);
    let runs = records
        .into_iter()
        .map(|record| match api.operations.live_run(record.id) {
            Some(run) => RunAnswer::live(&run, language),
            None => RunAnswer::of(record, language),
        })
        .collect();
    Ok(Json(RunsAnswer { runs, total, next }))
}
