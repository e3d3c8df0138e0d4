//! `POST /api/seeds/reset`

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use web::{JsonOrNothing, Language, Problem};

use super::run::{SeedBody, start};
use crate::http::Api;
use crate::http::answer::RunAnswer;
use crate::http::auth::Who;

/// Empty the tables and seed them again
///
/// Refused where the environment is protected. A failure is answered as for `POST /api/seeds/run`.
#[utoipa::path(post, path = "/api/seeds/reset", tag = "seeds", request_body = SeedBody, responses(
    (status = 200, description = "It is done", body = RunAnswer),
    (status = 202, description = "It is under way", body = RunAnswer),
))]
pub(in crate::http) async fn reset_seeds(
    State(api): State<Api>,
    Who(caller): Who,
    headers: HeaderMap,
    JsonOrNothing(body): JsonOrNothing<SeedBody>,
) -> Result<Response, Problem> {
    start(&api, &caller, body, true, Language::of(&headers)).await
}
