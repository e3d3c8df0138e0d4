//! `GET /api/database/history`

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use web::{Json, Problem, Query};

use crate::http::auth::Who;
use crate::http::databases::Answered;
use crate::http::{Api, page};
use crate::operations::{DatabaseHistory, DatabaseHistoryOrder, HistoryMetric, HistorySpan};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct HistoryQuery {
    /// An environment of the catalogue, each of its databases. Default: the default environment.
    environment: Option<String>,
    /// Only the database that this service lives in.
    service: Option<String>,
    /// Only `size`, `connections`, `commits` or `statements`. Default: all.
    #[param(example = "connections")]
    metric: Option<String>,
    /// `1h`, by the minute, or `24h`, by the quarter of an hour. Default: `1h`.
    #[param(example = "1h")]
    span: Option<String>,
}

/// How a database was
///
/// Size, sessions by state, transactions and the time that statements take, over the last hour or day: what this process has seen
/// since it was started, each `MIGRATION_SERVICE_SAMPLE_INTERVAL`. It is kept in memory, at most 3.2 KB of a target; whoever wants
/// more keeps what `/metrics` says in Prometheus.
#[utoipa::path(get, path = "/api/database/history", tag = "database", params(HistoryQuery),
    responses((status = 200, description = "What is kept, oldest first", body = Answered<DatabaseHistory>)))]
pub(in crate::http) async fn database_history(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Answered<DatabaseHistory>>, Problem> {
    let metric = query
        .metric
        .map(|word| page::one_of(HistoryMetric::ALL, HistoryMetric::as_str, "metric", &word, "history"))
        .transpose()?;
    let span = query
        .span
        .map(|word| page::one_of(HistorySpan::ALL, HistorySpan::as_str, "span", &word, "history"))
        .transpose()?
        .unwrap_or_default();
    let order = DatabaseHistoryOrder { environment: query.environment, service: query.service, metric, span };
    Answered::of(api.operations.database_history(&order, &caller).await?)
}
