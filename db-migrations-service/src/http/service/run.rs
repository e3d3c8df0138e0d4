//! `POST /api/migrations/service/{name}/run`

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use web::{JsonOrNothing, Language, Path, Problem};

use super::settle;
use crate::http::Api;
use crate::http::answer::RunAnswer;
use crate::http::auth::{IsAdmin, Who};
use crate::http::migrations::run::{RunBody, start};

/// Bring one service forward
///
/// What its migrations need of other services comes along. As `POST /api/migrations/run`.
#[utoipa::path(post, path = "/api/migrations/service/{name}/run", tag = "per service", request_body = RunBody,
    params(("name" = String, Path, description = "A service of the catalogue")),
    responses((status = 202, description = "It is under way", body = RunAnswer),
              (status = 200, description = "It is done, or there was nothing to do", body = RunAnswer)))]
pub(in crate::http) async fn run_service(
    State(api): State<Api>,
    Who(caller): Who,
    admin: IsAdmin,
    Path(name): Path<String>,
    headers: HeaderMap,
    JsonOrNothing(mut body): JsonOrNothing<RunBody>,
) -> Result<Response, Problem> {
    settle(name, &mut body.service)?;
    start(&api, (&caller, admin), body, Language::of(&headers)).await
}
