//! `POST /api/audit/verify`

use axum::extract::State;
use migration_engine::audit::AuditReport;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use web::{Json, JsonOrNothing, Problem};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::databases::nobody;
use crate::operations::{Spread, Unavailable};

/// Whose audit to look over.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct VerifyBody {
    /// An environment of the catalogue, each of its databases. Default: the default environment.
    environment: Option<String>,
    /// Only the database that this service lives in.
    service: Option<String>,
}

/// What looking it over has found.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct VerifyAnswer {
    /// The environment, or the database, that this is about.
    environment: String,
    /// Nothing was found, in any database.
    intact: bool,
    /// How many links of the chain were looked at.
    checked: u64,
    /// How many of its former ends, kept in the master database and the anchor file, it was compared with.
    anchors: usize,
    /// Where the chain ends now: database, position, hash. Absent for an empty one, and of several databases.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    head: Option<Value>,
    /// What is wrong, at most 100 of each database: code, message, position, entry; of several databases also `database`.
    #[schema(value_type = Vec<Object>)]
    findings: Vec<Value>,
    /// Findings beyond those.
    more_findings: u64,
    /// Each database by itself, where the environment has several: each has a chain of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    databases: Vec<VerifyAnswer>,
    /// Databases that could not be looked over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unavailable: Vec<Unavailable>,
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
    let (environment, service) = (body.environment.as_deref(), body.service.as_deref());
    let spread = api.operations.verify_audits(environment, service, &[], &caller).await?;
    VerifyAnswer::of(spread).map(Json).ok_or_else(nobody)
}

impl VerifyAnswer {
    /// Several as one; one as itself.
    fn of(spread: Spread<AuditReport>) -> Option<Self> {
        let several = spread.is_several();
        let Spread { environment, answers, unavailable } = spread;
        let mut parts: Vec<_> = answers.into_iter().map(Self::of_one).collect();
        if !several {
            return parts.pop();
        }
        let named = |part: &Self| {
            let mut findings = part.findings.clone();
            for finding in &mut findings {
                finding["database"] = part.environment.clone().into();
            }
            findings
        };
        Some(Self {
            environment,
            intact: unavailable.is_empty() && parts.iter().all(|part| part.intact),
            checked: parts.iter().map(|part| part.checked).sum(),
            anchors: parts.iter().map(|part| part.anchors).sum(),
            head: None,
            findings: parts.iter().flat_map(named).collect(),
            more_findings: parts.iter().map(|part| part.more_findings).sum(),
            databases: parts,
            unavailable,
        })
    }

    fn of_one((environment, report): (String, AuditReport)) -> Self {
        Self {
            environment,
            intact: report.findings.is_empty(),
            checked: report.checked,
            anchors: report.anchors,
            head: report.head.and_then(|head| serde_json::to_value(head).ok()),
            findings: report.findings.iter().filter_map(|finding| serde_json::to_value(finding).ok()).collect(),
            more_findings: report.more_findings,
            databases: Vec::new(),
            unavailable: Vec::new(),
        }
    }
}
