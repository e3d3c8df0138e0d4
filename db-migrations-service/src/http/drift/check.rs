//! `POST /api/drift/check`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Json, JsonOrNothing, Problem};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::databases::nobody;
use crate::master::findings::Finding;
use crate::operations::{Spread, Unavailable};
use crate::watch::Seen;

/// Where to look.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct CheckBody {
    /// An environment of the catalogue, each of its databases. Default: the default environment.
    environment: Option<String>,
    /// Only the database that this service lives in.
    service: Option<String>,
}

/// What a look has seen.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct CheckAnswer {
    /// The environment, or the database, that this is about.
    environment: String,
    /// The name of its database; of several that of the first.
    target: String,
    /// Nothing is open, and everything could be looked at, in every database.
    agrees: bool,
    /// All that is open, newest first.
    findings: Vec<Finding>,
    /// How many of them were not known before.
    opened: usize,
    /// How many that were known are gone.
    resolved: usize,
    /// What could not be looked at, and why; null where that is nothing.
    trouble: Option<String>,
    /// Each database by itself, where the environment has several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    databases: Vec<CheckAnswer>,
    /// Databases that could not be looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unavailable: Vec<Unavailable>,
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
    let (environment, service) = (body.environment.as_deref(), body.service.as_deref());
    let spread = api.operations.look_now(environment, service, &caller, &api.shutdown).await?;
    CheckAnswer::of(spread).map(Json).ok_or_else(nobody)
}

impl CheckAnswer {
    /// Several as one; one as itself.
    fn of(spread: Spread<(Seen, Vec<Finding>)>) -> Option<Self> {
        let several = spread.is_several();
        let Spread { environment, answers, unavailable } = spread;
        let mut parts: Vec<_> = answers.into_iter().map(|(_, seen)| Self::of_one(seen)).collect();
        if !several {
            return parts.pop();
        }
        let trouble = |part: &Self| part.trouble.as_ref().map(|trouble| format!("{}: {trouble}", part.environment));
        let troubles: Vec<String> = parts.iter().filter_map(trouble).collect();
        let mut findings: Vec<Finding> = parts.iter().flat_map(|part| part.findings.clone()).collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.id));
        Some(Self {
            environment,
            target: parts.first()?.target.clone(),
            agrees: unavailable.is_empty() && parts.iter().all(|part| part.agrees),
            findings,
            opened: parts.iter().map(|part| part.opened).sum(),
            resolved: parts.iter().map(|part| part.resolved).sum(),
            trouble: (!troubles.is_empty()).then(|| troubles.join("; ")),
            databases: parts,
            unavailable,
        })
    }

    fn of_one((seen, findings): (Seen, Vec<Finding>)) -> Self {
        Self {
            environment: seen.environment,
            target: seen.target,
            agrees: findings.is_empty() && seen.trouble.is_none(),
            findings,
            opened: seen.opened.len(),
            resolved: seen.resolved.len(),
            trouble: seen.trouble,
            databases: Vec::new(),
            unavailable: Vec::new(),
        }
    }
}
