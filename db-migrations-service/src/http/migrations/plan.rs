//! `GET /api/migrations/plan`

use axum::extract::State;
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
    let plan = api.operations.plan(Some(&environment), query.service.as_deref(), query.with_sql, &caller).await?;
    Ok(Json(PlanAnswer {
        environment,
        service: query.service,
        total: plan.migrations.len(),
        migrations: plan.migrations.iter().filter_map(|step| serde_json::to_value(step).ok()).collect(),
        notes: plan.notes,
        prepares_target: plan.prepares_target,
    }))
}
