//! `POST /api/tokens`

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;
use web::{Json, Problem};

use super::TokenAnswer;
use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::TokenOrder;

/// The token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::http) struct TokenBody {
    /// What people call it.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Some of read, release, migrate, rollback, seed, backup, restore, admin.
    scopes: Vec<String>,
    /// To which services. Default: all.
    #[serde(default)]
    services: Vec<String>,
    /// From when on it is refused. Default: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, deserialize_with = "moment")]
    expires_at: Option<OffsetDateTime>,
}

/// The token, shown this once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct NewTokenAnswer {
    /// The token itself. It is kept nowhere: who loses it makes another.
    token: String,
    /// What is kept of it.
    #[serde(flatten)]
    record: TokenAnswer,
}

/// Make a token
#[utoipa::path(post, path = "/api/tokens", tag = "tokens", request_body = TokenBody,
    responses((status = 201, description = "The token, shown this once", body = NewTokenAnswer)))]
pub(in crate::http) async fn create_token(
    State(api): State<Api>,
    Who(caller): Who,
    Json(body): Json<TokenBody>,
) -> Result<(StatusCode, Json<NewTokenAnswer>), Problem> {
    let order =
        TokenOrder { name: body.name, scopes: body.scopes, services: body.services, expires_at: body.expires_at };
    let (record, token) = api.operations.create_token(order, &caller).await?;
    Ok((StatusCode::CREATED, Json(NewTokenAnswer { token: token.reveal().to_owned(), record: record.into() })))
}

/// What the time crate says of a text that is none would mean nothing to the caller.
fn moment<'de, D: Deserializer<'de>>(value: D) -> Result<Option<OffsetDateTime>, D::Error> {
    let Some(given) = Option::<serde_json::Value>::deserialize(value)? else { return Ok(None) };
    let moment = given.as_str().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    let expected = || serde::de::Error::custom("expected a time with its zone, such as 2027-01-31T12:00:00Z");
    moment.map(Some).ok_or_else(expected)
}
