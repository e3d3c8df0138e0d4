//! `GET /health/master-database`

use axum::extract::State;
use serde::Serialize;
use std::time::Instant;
use utoipa::ToSchema;
use web::{Json, Problem};

use crate::http::Api;
use crate::operations::OperationError;

/// The service's own database.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct MasterAnswer {
    /// `healthy`.
    status: &'static str,
    /// The server's version, as `server_version_num`.
    server_version_num: u32,
    /// Asking took so long, milliseconds.
    latency_ms: u64,
}

/// Whether the service's own database answers
#[utoipa::path(get, path = "/health/master-database", tag = "health", responses(
    (status = 200, description = "It answers", body = MasterAnswer),
    (status = 503, description = "It does not", body = web::ProblemDocument, content_type = "application/problem+json"),
))]
pub(in crate::http) async fn master_health(State(api): State<Api>) -> Result<Json<MasterAnswer>, Problem> {
    let begun = Instant::now();
    let server_version_num = api.operations.master().ping().await.map_err(OperationError::from)?;
    Ok(Json(MasterAnswer { status: "healthy", server_version_num, latency_ms: begun.elapsed().as_millis() as u64 }))
}
