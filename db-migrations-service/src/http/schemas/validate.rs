//! `POST /api/schemas/validate`

use axum::extract::State;
use migration_engine::proof::drift::DriftReport;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use web::{Json, JsonOrNothing, Problem};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::databases::nobody;
use crate::operations::{Spread, Unavailable};

/// What to compare.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct CompareBody {
    /// A service of the catalogue. Default: all.
    #[schema(example = "auth-service")]
    service: Option<String>,
    /// An environment of the catalogue. Default: the default environment.
    environment: Option<String>,
}

/// The live schemas against what their history makes.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct CompareAnswer {
    /// The environment.
    environment: String,
    /// Nothing differs, in any database.
    agrees: bool,
    /// The fingerprint of what the history makes of an empty database.
    expected: String,
    /// The fingerprint of what is there.
    live: String,
    /// Roles and grants are as the present catalogue says; where they are not, the next run changes them.
    prepared: bool,
    /// Schema by schema: schema, service, expected, live, agrees.
    #[schema(value_type = Vec<Object>)]
    schemas: Value,
    /// What differs: words (expected → live), service, object, property, before and after.
    #[schema(value_type = Vec<Object>)]
    differences: Value,
    /// How long it took, milliseconds.
    duration_ms: u64,
    /// Each database by itself, where the environment has several; the members above sum them up, but for the fingerprints,
    /// which are those of the first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    databases: Vec<CompareAnswer>,
    /// Databases that could not be compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unavailable: Vec<Unavailable>,
}

/// Compare schemas with what they should be
///
/// What they should be is a replay of the target's own history on a scratch database. Changes nothing; that something
/// differs is an answer, not a problem.
#[utoipa::path(post, path = "/api/schemas/validate", tag = "schemas", request_body = CompareBody,
    responses((status = 200, description = "Expected against live", body = CompareAnswer)))]
pub(in crate::http) async fn validate_schemas(
    State(api): State<Api>,
    Who(caller): Who,
    JsonOrNothing(body): JsonOrNothing<CompareBody>,
) -> Result<Json<CompareAnswer>, Problem> {
    let (environment, service) = (body.environment.as_deref(), body.service.as_deref());
    let spread = api.operations.drifts(environment, service, &caller, &api.shutdown).await?;
    CompareAnswer::of(spread).map(Json).ok_or_else(nobody)
}

impl CompareAnswer {
    /// Several as one; one as itself.
    fn of(spread: Spread<DriftReport>) -> Option<Self> {
        let several = spread.is_several();
        let Spread { environment, answers, unavailable } = spread;
        let mut parts: Vec<Self> = answers.into_iter().map(|(_, report)| Self::from(report)).collect();
        if !several {
            return parts.pop();
        }
        let first = parts.first()?.clone();
        let joined = |of: fn(&Self) -> &Value| -> Value {
            parts.iter().filter_map(|part| of(part).as_array()).flatten().cloned().collect()
        };
        Some(Self {
            environment,
            agrees: unavailable.is_empty() && parts.iter().all(|part| part.agrees),
            prepared: parts.iter().all(|part| part.prepared),
            schemas: joined(|part| &part.schemas),
            differences: joined(|part| &part.differences),
            duration_ms: parts.iter().map(|part| part.duration_ms).sum(),
            databases: parts,
            unavailable,
            ..first
        })
    }
}

impl From<DriftReport> for CompareAnswer {
    fn from(report: DriftReport) -> Self {
        Self {
            schemas: serde_json::to_value(&report.schemas).unwrap_or_default(),
            differences: serde_json::to_value(&report.differences).unwrap_or_default(),
            environment: report.environment,
            agrees: report.agrees,
            expected: report.expected.to_string(),
            live: report.live.to_string(),
            prepared: report.prepared,
            duration_ms: report.duration_ms,
            databases: Vec::new(),
            unavailable: Vec::new(),
        }
    }
}
