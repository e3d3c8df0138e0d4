//! `POST /api/seeds/run`

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{JsonOrNothing, Language, Problem};

use crate::http::Api;
use crate::http::answer::{self, RunAnswer};
use crate::http::auth::Who;
use crate::operations::{Caller, SeedOrder};

/// What to seed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct SeedBody {
    /// A service of the catalogue. Default: all.
    pub(in crate::http) service: Option<String>,
    /// An environment of the catalogue. Default: the default environment.
    environment: Option<String>,
    /// Answer when it is done. Default: true, because seeds are short.
    wait: bool,
}

impl Default for SeedBody {
    fn default() -> Self {
        Self { service: None, environment: None, wait: true }
    }
}

/// Run the seeds that fit the environment
///
/// Seeds are idempotent: they run whether or not they ran before. `Idempotency-Key` is honoured. Unless `wait` is
/// false a failure is a problem, as for `POST /api/migrations/run`.
#[utoipa::path(post, path = "/api/seeds/run", tag = "seeds", request_body = SeedBody, responses(
    (status = 200, description = "It is done", body = RunAnswer),
    (status = 202, description = "It is under way", body = RunAnswer),
))]
pub(in crate::http) async fn run_seeds(
    State(api): State<Api>,
    Who(caller): Who,
    headers: HeaderMap,
    JsonOrNothing(body): JsonOrNothing<SeedBody>,
) -> Result<Response, Problem> {
    start(&api, &caller, body, false, Language::of(&headers)).await
}

pub(in crate::http) async fn start(
    api: &Api,
    caller: &Caller,
    body: SeedBody,
    reset: bool,
    language: Language,
) -> Result<Response, Problem> {
    let order = SeedOrder { environment: body.environment, service: body.service, reset, ..SeedOrder::default() };
    let runs = api.operations.start_seeds(order, caller).await?;
    Ok(answer::started(runs, body.wait, language).await)
}
