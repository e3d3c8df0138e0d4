//! `GET /metrics`

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use web::Problem;

use crate::http::Api;
use crate::http::auth::Who;

/// Prometheus's text format.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// What Prometheus scrapes
///
/// Counted by this process as it happens, and seen when it last looked at the targets, every `MIGRATION_SERVICE_SAMPLE_INTERVAL`:
/// answering asks no database. What PostgreSQL tells has postgres_exporter's names; what is the service's own begins with
/// `profe_migration_`. For tokens that are for all services.
#[utoipa::path(get, path = "/metrics", tag = "health", responses(
    (status = 200, description = "Metrics in Prometheus's text format 0.0.4", body = String, content_type = "text/plain"),
))]
pub(in crate::http) async fn metrics(State(api): State<Api>, Who(caller): Who) -> Result<Response, Problem> {
    let text = api.operations.metrics(&caller)?;
    Ok(([(CONTENT_TYPE, TEXT)], text).into_response())
}
