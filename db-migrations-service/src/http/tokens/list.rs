//! `GET /api/tokens`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use web::{Json, Problem};

use super::TokenAnswer;
use crate::http::Api;

/// Every token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct TokensAnswer {
    /// Newest first.
    tokens: Vec<TokenAnswer>,
    /// How many.
    total: usize,
}

/// Every token, without its secret
#[utoipa::path(get, path = "/api/tokens", tag = "tokens", responses((status = 200, description = "The tokens", body = TokensAnswer)))]
pub(in crate::http) async fn list_tokens(State(api): State<Api>) -> Result<Json<TokensAnswer>, Problem> {
    let tokens: Vec<_> = api.operations.tokens().await?.into_iter().map(TokenAnswer::from).collect();
    Ok(Json(TokensAnswer { total: tokens.len(), tokens }))
}
