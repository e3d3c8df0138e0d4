//! `POST /api/migrations/validate`

use axum::extract::State;
use migration_engine::proof::report::Report;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use web::{Json, JsonOrNothing, Problem};

use crate::http::Api;
use crate::http::auth::{MayBackUp, Who};
use crate::operations::{OperationError, ValidateOrder, parse_gate};

/// What to look at.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct ValidateBody {
    /// A service of the catalogue; what its migrations need of others comes along. Default: all.
    #[schema(example = "auth-service")]
    service: Option<String>,
    /// An environment of the catalogue. Default: the default environment.
    environment: Option<String>,
    /// All migrations from an empty database on, instead of the pending ones.
    whole: bool,
    /// `parses`, `stays-home`, `breaks-no-neighbour`, `hazards`, `rehearsed`. Default: all of them.
    #[schema(example = json!(["hazards", "rehearsed"]))]
    gates: Vec<String>,
    /// Rehearse on the rows of the newest backup that has what is touched, a verified one rather than another. It is
    /// restored beside the target, and gone when this is answered. Needs the scope `backup`, too.
    with_data: bool,
}

/// What the gates say.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct ValidateAnswer {
    /// The environment.
    environment: String,
    /// Every gate that was looked through holds, and none that the environment requires was left out for want of a way.
    passed: bool,
    /// Gate by gate: gate, required, holds (null: it did not look), and skipped, which says why.
    #[schema(value_type = Vec<Object>)]
    gates: Value,
    /// In the order in which they would be applied: migration, service, name, findings, and the certificate where the
    /// rehearsal proved it: upHash, downHash, before, after, serverVersionNum, at, withData, upMs, downMs, and by
    /// statement line, durationMs, locks, rewritten and walBytes; beside it `forecast.statementMs`.
    #[schema(value_type = Vec<Object>)]
    migrations: Value,
    /// What concerns the whole set. A finding has gate, code, severity (error, warning, notice), message, and where they
    /// are known migration, location (file, line, column, lineText), safer SQL, cure, and why the file accepts it.
    #[schema(value_type = Vec<Object>)]
    findings: Value,
    /// On whose rows it was rehearsed: backup, takenAt, rows, verified. Absent where it was on none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    with_data: Option<Value>,
    /// The managed schemas before the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    /// How long it took, milliseconds.
    duration_ms: u64,
    /// Each database by itself, where the environment has several; the members above are their sum.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    databases: Vec<ValidateAnswer>,
}

/// Check migrations before they are run
///
/// Looks through the gates at what is pending, or with `whole` at everything, the rehearsal on a scratch database
/// included, and answers when it is done. Takes no lock and changes nothing in the target's schemas; that a gate does
/// not hold is an answer, not a problem.
#[utoipa::path(post, path = "/api/migrations/validate", tag = "migrations", request_body = ValidateBody,
    responses((status = 200, description = "What the gates say", body = ValidateAnswer)))]
pub(in crate::http) async fn validate_migrations(
    State(api): State<Api>,
    Who(caller): Who,
    may: MayBackUp,
    JsonOrNothing(body): JsonOrNothing<ValidateBody>,
) -> Result<Json<ValidateAnswer>, Problem> {
    if body.with_data {
        may.check("rehearsing on the rows of a backup")?;
    }
    let gates = body.gates.iter().map(|gate| parse_gate(gate)).collect::<Result<Vec<_>, OperationError>>();
    let gates = gates.map_err(|error| Problem::from(error).with("member", "gates"))?;
    let ValidateBody { environment, service, whole, with_data, .. } = body;
    let operations = &api.operations;
    let order = ValidateOrder { environment: environment.clone(), service, whole, gates, with_data };
    let reports = operations.validate_all(order, &caller, &api.shutdown.child_token()).await?;
    let environment = operations.environment(environment.as_deref())?.environment.clone();
    Ok(Json(ValidateAnswer::of(environment, reports)))
}

impl ValidateAnswer {
    /// Of one database, or the sum of several.
    fn of(environment: String, mut reports: Vec<Report>) -> Self {
        if reports.len() == 1
            && let Some(only) = reports.pop()
        {
            return only.into();
        }
        let whole = Report::sum(environment, &reports);
        Self { databases: reports.into_iter().map(Self::from).collect(), ..Self::from(whole) }
    }
}

impl From<Report> for ValidateAnswer {
    fn from(report: Report) -> Self {
        let value = |part: Result<Value, _>| part.unwrap_or_default();
        Self {
            gates: value(serde_json::to_value(&report.gates)),
            migrations: value(serde_json::to_value(&report.migrations)),
            findings: value(serde_json::to_value(&report.findings)),
            with_data: report.with_data.and_then(|data| serde_json::to_value(data).ok()),
            environment: report.environment,
            passed: report.passed,
            fingerprint: report.fingerprint.map(|print| print.to_string()),
            duration_ms: report.duration_ms,
            databases: Vec::new(),
        }
    }
}
