//! `GET /api/migrations/service/{name}`

use axum::extract::State;
use migration_engine::status::{MigrationStatus, ServiceStatus};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use web::{Json, Path, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::ServiceSummary;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ServiceQuery {
    /// An environment of the catalogue. Default: the default environment.
    pub(in crate::http) environment: Option<String>,
}

/// A service of the catalogue with its migrations.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct ServiceAnswer {
    /// The environment.
    environment: String,
    /// Where it stands.
    #[serde(flatten)]
    summary: ServiceSummary,
    /// The role that its migrations run as.
    owner: Option<String>,
    /// The role that it signs in as.
    role: Option<String>,
    /// Schemas of other services that it may reference.
    references: Vec<String>,
    /// The port that it listens on by default.
    port: Option<u16>,
    /// Every migration with its state: migration, service, name, state, appliedAt, error, and
    /// while rows are filled batch by batch backfills: statement, relation, rowsDone, rowsEstimated, isFilled, waitsFor.
    #[schema(value_type = Vec<Object>)]
    migrations: Vec<Value>,
}

/// One service with its migrations
#[utoipa::path(get, path = "/api/migrations/service/{name}", tag = "per service",
    params(("name" = String, Path, description = "A service of the catalogue"), ServiceQuery),
    responses((status = 200, description = "The service", body = ServiceAnswer)))]
pub(in crate::http) async fn get_service(
    State(api): State<Api>,
    Who(caller): Who,
    Path(name): Path<String>,
    Query(query): Query<ServiceQuery>,
) -> Result<Json<ServiceAnswer>, Problem> {
    let (environment, status) = one(&api, &caller, &name, query.environment.as_deref()).await?;
    let entry = api.operations.catalogue().service(&name).map_err(crate::operations::OperationError::from)?;
    Ok(Json(ServiceAnswer {
        environment,
        summary: ServiceSummary::from(&status),
        owner: entry.owner_role(),
        role: entry.runtime_role(),
        references: entry.references.clone(),
        port: entry.port,
        migrations: status.migrations.iter().filter_map(|m: &MigrationStatus| serde_json::to_value(m).ok()).collect(),
    }))
}

/// The service's part of an environment's status, with the environment's name.
pub(super) async fn one(
    api: &Api,
    caller: &crate::operations::Caller,
    name: &str,
    environment: Option<&str>,
) -> Result<(String, ServiceStatus), Problem> {
    caller.check(Some(name))?;
    api.operations.catalogue().service(name).map_err(crate::operations::OperationError::from)?;
    let home = api.operations.home_name(environment, Some(name))?;
    let status = api.operations.target_status(Some(&home), caller).await?;
    let service = status.services.into_iter().find(|service| service.name == name);
    service.map(|service| (status.environment, service)).ok_or_else(|| Problem::new(web::kinds::NOT_FOUND))
}
