//! `GET /api/releases`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::ReleaseView;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(in crate::http) struct ReleasesQuery {
    /// Only on this environment.
    environment: Option<String>,
    /// Only of this service.
    service: Option<String>,
}

/// What runs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct ReleasesAnswer {
    /// By environment, service and release.
    releases: Vec<ReleaseView>,
}

/// Which releases run
///
/// Those whose processes said so and are alive: neither signed off nor silent for longer than their time to live while
/// somebody listened. A contract is held while one of them still uses what it takes away.
#[utoipa::path(get, path = "/api/releases", tag = "services", params(ReleasesQuery),
    responses((status = 200, description = "All of them", body = ReleasesAnswer)))]
pub(in crate::http) async fn list_releases(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<ReleasesQuery>,
) -> Result<Json<ReleasesAnswer>, Problem> {
    let releases = api.operations.releases(query.environment.as_deref(), query.service.as_deref(), &caller).await?;
    Ok(Json(ReleasesAnswer { releases }))
}
