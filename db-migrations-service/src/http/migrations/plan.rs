//! `GET /api/migrations/plan`

use axum::extract::State;
use migration_engine::Plan;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(in crate::http) struct PlanQuery {
    /// An environment of the catalogue. Default: the default environment.
    environment: Option<String>,
    /// Only this service, and what its migrations need. Default: all.
    service: Option<String>,
    /// Also the SQL.
    #[serde(default)]
    with_sql: bool,
}

/// What a run would do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct PlanAnswer {
    /// The environment.
    environment: String,
    /// The service asked for; null is all.
    service: Option<String>,
    /// Steps, first to last: migration, service, name, statements, transactional, late, prerequisite, resumeAfter,
    /// waitsFor, and sql where asked for.
    #[schema(value_type = Vec<Object>)]
    migrations: Vec<Value>,
    /// How many steps.
    total: usize,
    /// Late and missing migrations, a catalogue that changed.
    notes: Vec<String>,
    /// Whether roles, schemas or grants must be brought in place first.
    prepares_target: bool,
    /// Each database by itself, in the order in which they come, where the environment has several; the members above are
    /// their sum.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    databases: Vec<PlanAnswer>,
}

impl PlanAnswer {
    fn of(environment: String, service: Option<String>, plan: &Plan) -> Self {
        Self {
            environment,
            service,
            total: plan.migrations.len(),
            migrations: plan.migrations.iter().filter_map(|step| serde_json::to_value(step).ok()).collect(),
            notes: plan.notes.clone(),
            prepares_target: plan.prepares_target,
            databases: Vec::new(),
        }
    }

    /// As if it were one plan.
    fn sum(environment: String, service: Option<String>, databases: Vec<Self>) -> Self {
        let noted =
            |part: &Self| -> Vec<_> { part.notes.iter().map(|note| format!("{}: {note}", part.environment)).collect() };
        Self {
            environment,
            service,
            total: databases.iter().map(|part| part.total).sum(),
            migrations: databases.iter().flat_map(|part| part.migrations.clone()).collect(),
            notes: databases.iter().flat_map(noted).collect(),
            prepares_target: databases.iter().any(|part| part.prepares_target),
            databases,
        }
    }
}

/// What a run would do, in order
///
/// Takes no lock and changes nothing.
#[utoipa::path(get, path = "/api/migrations/plan", tag = "migrations", params(PlanQuery),
    responses((status = 200, description = "The plan", body = PlanAnswer)))]
pub(in crate::http) async fn migration_plan(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<PlanQuery>,
) -> Result<Json<PlanAnswer>, Problem> {
    let environment = api.operations.environment(query.environment.as_deref())?.environment.clone();
    let (asked, service) = (query.environment.as_deref(), query.service);
    let plans = api.operations.plans(asked, service.as_deref(), query.with_sql, &caller).await?;
    let mut parts: Vec<_> =
        plans.into_iter().map(|(name, plan)| PlanAnswer::of(name, service.clone(), &plan)).collect();
    let only = if parts.len() == 1 { parts.pop() } else { None };
    Ok(Json(only.unwrap_or_else(|| PlanAnswer::sum(environment, service, parts))))
}
