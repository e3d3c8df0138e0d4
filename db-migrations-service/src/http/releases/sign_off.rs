//! `DELETE /api/releases/{service}/{instance}`

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;
use web::{Path, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(in crate::http) struct SignOffQuery {
    /// An environment of the catalogue. Default: the default environment.
    environment: Option<String>,
}

/// Say that a process of a service ends
///
/// It holds nothing any more.
#[utoipa::path(delete, path = "/api/releases/{service}/{instance}", tag = "services",
    params(SignOffQuery, ("service" = String, Path, description = "A service of the catalogue"),
           ("instance" = String, Path, description = "What the process calls itself")),
    responses((status = 204, description = "It is gone")))]
pub(in crate::http) async fn sign_release_off(
    State(api): State<Api>,
    Who(caller): Who,
    Path((service, instance)): Path<(String, String)>,
    Query(query): Query<SignOffQuery>,
) -> Result<StatusCode, Problem> {
    api.operations.sign_release_off(query.environment.as_deref(), &service, &instance, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
