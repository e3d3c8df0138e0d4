//! `POST /api/seeds/run/{service}`

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use web::{JsonOrNothing, Language, Path, Problem};

use super::run::{SeedBody, start};
use crate::http::Api;
use crate::http::answer::RunAnswer;
use crate::http::auth::Who;

/// Run one service's seeds
///
/// As `POST /api/seeds/run`.
#[utoipa::path(post, path = "/api/seeds/run/{service}", tag = "seeds", request_body = SeedBody,
    params(("service" = String, Path, description = "A service of the catalogue")),
    responses((status = 200, description = "It is done", body = RunAnswer),
              (status = 202, description = "It is under way", body = RunAnswer)))]
pub(in crate::http) async fn run_service_seeds(
    State(api): State<Api>,
    Who(caller): Who,
    Path(service): Path<String>,
    headers: HeaderMap,
    JsonOrNothing(mut body): JsonOrNothing<SeedBody>,
) -> Result<Response, Problem> {
    crate::http::service::settle(service, &mut body.service)?;
    start(&api, &caller, body, false, Language::of(&headers)).await
}
