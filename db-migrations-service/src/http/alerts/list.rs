//! `GET /api/alerts`

use axum::extract::State;
use migration_engine::catalogue::alerts::AlertRule;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::page;
use crate::master::alerts::{Alert, AlertFilter, AlertState};

/// Alerts per page, where the request does not say.
const PAGE: u32 = 50;
const LONGEST_PAGE: u32 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(in crate::http) struct AlertQuery {
    /// Only this environment: all of its databases.
    environment: Option<String>,
    /// Only what concerns this service.
    service: Option<String>,
    /// Only this rule.
    #[param(example = "failed-migration")]
    rule: Option<String>,
    /// Only what is about to fire (`pending`), fires (`firing`), or is over (`resolved`).
    #[param(example = "firing")]
    state: Option<String>,
    /// Alerts per page, 1 to 500. Default: 50.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next` of the page before.
    before: Option<i64>,
}

/// A page of alerts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct AlertsAnswer {
    /// Newest first.
    alerts: Vec<Alert>,
    /// `before` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
}

/// What is worth waking somebody for
///
/// The rules stand in the catalogue's `[alerts]`, with defaults. They are evaluated every `MIGRATION_SERVICE_SAMPLE_INTERVAL`. An
/// alert is one row from when it is first seen until it is over, and is kept for 90 days after that.
#[utoipa::path(get, path = "/api/alerts", tag = "health", params(AlertQuery),
    responses((status = 200, description = "A page of it, newest first", body = AlertsAnswer)))]
pub(in crate::http) async fn list_alerts(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<AlertQuery>,
) -> Result<Json<AlertsAnswer>, Problem> {
    let limit = page::size(query.limit, PAGE, LONGEST_PAGE)?;
    let state = query
        .state
        .map(|word| page::one_of(AlertState::ALL, AlertState::as_str, "state", &word, "alert"))
        .transpose()?;
    let rule =
        query.rule.map(|word| page::one_of(AlertRule::ALL, AlertRule::as_str, "rule", &word, "alert")).transpose()?;
    let filter = AlertFilter {
        rule: rule.map(|rule| rule.as_str().to_owned()),
        environments: api.operations.listed_databases(query.environment.as_deref())?,
        state,
        before: query.before,
        limit: limit.into(),
        ..AlertFilter::default()
    };
    let alerts = api.operations.alerts(query.service.as_deref(), filter, &caller).await?;
    let next = page::next(&alerts, limit as usize, |alert| alert.id);
    Ok(Json(AlertsAnswer { alerts, next }))
}
