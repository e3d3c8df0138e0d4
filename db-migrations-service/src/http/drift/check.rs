//! `POST /api/drift/check`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Json, JsonOrNothing, Problem};

use crate::http::Api;
use crate::http::auth::Who;
use crate::master::findings::Finding;

/// Where to look.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct CheckBody {
    /// An environment of the catalogue. Default: the default environment.
    environment: Option<String>,
}

/// What a look has seen.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct CheckAnswer {
    /// The environment.
    environment: String,
    /// Its database.
    target: String,
    /// Nothing is open, and everything could be looked at.
    agrees: bool,
    /// All that is open, newest first.
    findings: Vec<Finding>,
    /// How many of them were not known before.
    opened: usize,
    /// How many that were known are gone.
    resolved: usize,
    /// What could not be looked at, and why; null where that is nothing.
    trouble: Option<String>,
}

/// Look now
///
/// Does what the service does by itself every `MIGRATION_SERVICE_WATCH_INTERVAL`. That something is found is an answer, not a
/// problem. Changes nothing on the target, but chains of its audit what is not chained yet.
#[utoipa::path(post, path = "/api/drift/check", tag = "audit", request_body = CheckBody,
    responses((status = 200, description = "What was seen, also where that is nothing", body = CheckAnswer)))]
pub(in crate::http) async fn check_drift(
    State(api): State<Api>,
    Who(caller): Who,
    JsonOrNothing(body): JsonOrNothing<CheckBody>,
) -> Result<Json<CheckAnswer>, Problem> {
    let (seen, findings) = api.operations.look_now(body.environment.as_deref(), &caller, &api.shutdown).await?;
    Ok(Json(CheckAnswer {
        environment: seen.environment,
        target: seen.target,
        agrees: findings.is_empty() && seen.trouble.is_none(),
        findings,
        opened: seen.opened.len(),
        resolved: seen.resolved.len(),
        trouble: seen.trouble,
    }))
}
