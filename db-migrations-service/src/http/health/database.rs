//! `GET /health/database`

use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use web::Json;

use crate::http::Api;
use crate::operations::TargetHealth;

/// Whether the environments' databases answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct TargetsAnswer {
    /// `healthy` when the default environment's database answers, `unhealthy` when it does not, `degraded` when another
    /// one that is configured does not.
    status: &'static str,
    /// Every environment of the catalogue.
    targets: Vec<TargetHealth>,
}

/// Whether the environments' databases answer
#[utoipa::path(get, path = "/health/database", tag = "health", responses(
    (status = 200, description = "The default environment's database answers", body = TargetsAnswer),
    (status = 503, description = "It does not", body = TargetsAnswer),
))]
pub(in crate::http) async fn targets_health(State(api): State<Api>) -> (StatusCode, Json<TargetsAnswer>) {
    let targets = api.operations.targets_health().await;
    let well = |target: &TargetHealth| target.reachable || target.to_be_created;
    let (code, status) = if targets.iter().any(|target| target.default && !well(target)) {
        (StatusCode::SERVICE_UNAVAILABLE, "unhealthy")
    } else if targets.iter().any(|target| target.database.is_some() && !well(target)) {
        (StatusCode::OK, "degraded")
    } else {
        (StatusCode::OK, "healthy")
    };
    (code, Json(TargetsAnswer { status, targets }))
}
