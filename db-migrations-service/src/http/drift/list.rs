//! `GET /api/drift`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::page;
use crate::master::findings::{Finding, FindingFilter};
use crate::master::looks::LookRecord;

/// Findings per page, where the request does not say.
const PAGE: u32 = 50;
const LONGEST_PAGE: u32 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(in crate::http) struct DriftQuery {
    /// Only this environment: all of its databases.
    environment: Option<String>,
    /// Only what is in this service's schemas.
    service: Option<String>,
    /// Only what is there now (`open`), or only what no longer is (`resolved`).
    #[param(example = "open")]
    state: Option<String>,
    /// Findings per page, 1 to 500. Default: 50.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next` of the page before.
    before: Option<i64>,
}

/// A page of what was found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct DriftAnswer {
    /// Newest first.
    findings: Vec<Finding>,
    /// When each environment was last looked at; one that is absent never was.
    looks: Vec<LookRecord>,
    /// `before` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
}

/// What was done behind the service's back
///
/// The service looks at every environment from time to time: whether the live schema is what its migrations make, and whether
/// the record of who changed it is whole. A finding is one row from when it is first seen until it is gone.
#[utoipa::path(get, path = "/api/drift", tag = "audit", params(DriftQuery),
    responses((status = 200, description = "A page of it, newest first", body = DriftAnswer)))]
pub(in crate::http) async fn list_drift(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<DriftQuery>,
) -> Result<Json<DriftAnswer>, Problem> {
    let limit = page::size(query.limit, PAGE, LONGEST_PAGE)?;
    let name = |open| if open { "open" } else { "resolved" };
    let open = query.state.map(|word| page::one_of([true, false], name, "state", &word, "finding")).transpose()?;
    let environment = query.environment;
    let filter = FindingFilter {
        environments: api.operations.listed_databases(environment.as_deref())?,
        open,
        before: query.before,
        limit: limit.into(),
        ..Default::default()
    };
    let findings = api.operations.findings(query.service.as_deref(), filter, &caller).await?;
    let looks = api.operations.looks(environment.as_deref()).await?;
    let next = page::next(&findings, limit as usize, |finding| finding.id);
    Ok(Json(DriftAnswer { findings, looks, next }))
}
