//! `GET /api/migrations/status`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::EnvironmentStatus;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct StatusQuery {
    /// An environment of the catalogue, or `all`. Default: the default environment.
    environment: Option<String>,
}

/// Where migrations stand.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct StatusAnswer {
    /// The environment asked for, or the default one.
    #[serde(flatten)]
    environment: EnvironmentStatus,
    /// Every environment, where all were asked for. One that cannot be asked says why.
    #[serde(skip_serializing_if = "Option::is_none")]
    environments: Option<Vec<EnvironmentStatus>>,
}

/// Where migrations stand
///
/// Per service: whether everything is applied, the newest applied migration, and how many wait.
#[utoipa::path(get, path = "/api/migrations/status", tag = "migrations", params(StatusQuery),
    responses((status = 200, description = "Where they stand", body = StatusAnswer)))]
pub(in crate::http) async fn migration_status(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<StatusQuery>,
) -> Result<Json<StatusAnswer>, Problem> {
    if query.environment.as_deref() != Some("all") {
        let environment = api.operations.status(query.environment.as_deref(), &caller).await?;
        return Ok(Json(StatusAnswer { environment, environments: None }));
    }
    let all = api.operations.status_of_all(&caller).await;
    let default = api.operations.targets().default_environment();
    let environment = all.iter().find(|status| status.environment == default).or(all.first()).cloned();
    let environment = environment.ok_or_else(|| {
        Problem::new(web::kinds::NOT_FOUND)
            .detail("the catalogue has no environments")
            .cure("add an environment to config/services.toml")
    })?;
    Ok(Json(StatusAnswer { environment, environments: Some(all) }))
}
