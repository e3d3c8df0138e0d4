//! `POST /api/audit/verify`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use web::{Json, JsonOrNothing, Problem};

use crate::http::Api;
use crate::http::auth::Who;

/// Whose audit to look over.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct VerifyBody {
    /// An environment of the catalogue. Default: the default environment.
    environment: Option<String>,
}

/// What looking it over has found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct VerifyAnswer {
    /// The environment.
    environment: String,
    /// Nothing was found.
    intact: bool,
    /// How many links of the chain were looked at.
    checked: u64,
    /// How many of its former ends, kept in the master database and the anchor file, it was compared with.
    anchors: usize,
    /// Where the chain ends now: database, position, hash. Absent for an empty one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    head: Option<Value>,
    /// What is wrong, at most 100: code, message, position, entry.
    #[schema(value_type = Vec<Object>)]
    findings: Vec<Value>,
    /// Findings beyond those.
    more_findings: u64,
}

/// Find out whether the audit is whole
///
/// Looks at every entry, at every link of the chain, at its former ends as the master database and the anchor file have them,
/// and at the event triggers that record. Chains beforehand what is not chained yet; changes nothing else.
#[utoipa::path(post, path = "/api/audit/verify", tag = "audit", request_body = VerifyBody,
    responses((status = 200, description = "What was found, also where that is nothing", body = VerifyAnswer)))]
pub(in crate::http) async fn verify_audit(
    State(api): State<Api>,
    Who(caller): Who,
    JsonOrNothing(body): JsonOrNothing<VerifyBody>,
) -> Result<Json<VerifyAnswer>, Problem> {
    let environment = api.operations.environment(body.environment.as_deref())?.environment.clone();
    let report = api.operations.verify_audit(Some(&environment), &[], &caller).await?;
    Ok(Json(VerifyAnswer {
        environment,
        intact: report.findings.is_empty(),
        checked: report.checked,
        anchors: report.anchors,
        head: report.head.and_then(|head| serde_json::to_value(head).ok()),
        findings: report.findings.iter().filter_map(|finding| serde_json::to_value(finding).ok()).collect(),
        more_findings: report.more_findings,
    }))
}
