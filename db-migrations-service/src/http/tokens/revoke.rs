//! `DELETE /api/tokens/{id}`

use axum::extract::State;
use web::{Json, Path, Problem};

use super::TokenAnswer;
use crate::http::Api;
use crate::http::auth::Who;

/// Take a token back, at once and for good
#[utoipa::path(delete, path = "/api/tokens/{id}", tag = "tokens",
    params(("id" = String, Path, description = "The part of the token that names it")),
    responses((status = 200, description = "It is refused from now on", body = TokenAnswer)))]
pub(in crate::http) async fn revoke_token(
    State(api): State<Api>,
    Who(caller): Who,
    Path(id): Path<String>,
) -> Result<Json<TokenAnswer>, Problem> {
    Ok(Json(api.operations.revoke_token(&id, &caller).await?.into()))
}
