//! `POST /api/migrations/service/{name}/rollback`

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use web::{JsonOrNothing, Language, Path, Problem};

use super::settle;
use crate::http::Api;
use crate::http::answer::RunAnswer;
use crate::http::auth::{IsAdmin, Who};
use crate::http::migrations::rollback::{RollbackBody, start};

/// Take one service back
///
/// As `POST /api/migrations/rollback`.
#[utoipa::path(post, path = "/api/migrations/service/{name}/rollback", tag = "per service", request_body = RollbackBody,
    params(("name" = String, Path, description = "A service of the catalogue")),
    responses((status = 202, description = "It is under way", body = RunAnswer),
              (status = 200, description = "It is done, or there was nothing to do", body = RunAnswer)))]
pub(in crate::http) async fn roll_back_service(
    State(api): State<Api>,
    Who(caller): Who,
    admin: IsAdmin,
    Path(name): Path<String>,
    headers: HeaderMap,
    JsonOrNothing(mut body): JsonOrNothing<RollbackBody>,
) -> Result<Response, Problem> {
    settle(name, &mut body.service)?;
    start(&api, (&caller, admin), body, Language::of(&headers)).await
}
