//! `GET /api/schemas`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::databases::{OfDatabase, nobody};
use crate::operations::{FingerprintView, ServiceSchemas, Spread, Unavailable};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(in crate::http) struct SchemasQuery {
    /// An environment of the catalogue, each of its databases. Default: the default environment.
    environment: Option<String>,
    /// Only this service.
    service: Option<String>,
    /// Also the tables with everything of theirs, in `details`.
    #[serde(default)]
    with_tables: bool,
}

/// Every service's schemas.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct SchemasAnswer {
    /// The environment, or the database, that this is about.
    environment: String,
    /// Of all managed schemas of the first database together.
    fingerprint: FingerprintView,
    /// By service, in the catalogue's order.
    services: Vec<ServiceSchemas>,
    /// How many services.
    total: usize,
    /// The fingerprint of each database, where the environment has several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    databases: Vec<OfDatabase<PrintOf>>,
    /// Databases that could not be asked; their services are missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unavailable: Vec<Unavailable>,
}

/// The fingerprint of a database.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::http) struct PrintOf {
    /// Of all its managed schemas together.
    fingerprint: FingerprintView,
}

/// Every service's schemas, as the target has them
#[utoipa::path(get, path = "/api/schemas", tag = "schemas", params(SchemasQuery),
    responses((status = 200, description = "The schemas, counted", body = SchemasAnswer)))]
pub(in crate::http) async fn list_schemas(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<SchemasQuery>,
) -> Result<Json<SchemasAnswer>, Problem> {
    let (environment, service) = (query.environment.as_deref(), query.service.as_deref());
    let spread = api.operations.schemas(environment, service, query.with_tables, &caller).await?;
    let several = spread.is_several();
    let Spread { environment, answers, unavailable } = spread;
    let (mut databases, mut services) = (Vec::new(), Vec::new());
    for (environment, all) in answers {
        databases.push(OfDatabase { environment, view: PrintOf { fingerprint: all.fingerprint } });
        services.extend(all.services);
    }
    let fingerprint = databases.first().map(|first| first.view.fingerprint.clone()).ok_or_else(nobody)?;
    let place = |one: &ServiceSchemas| api.operations.catalogue().services.get_index_of(&one.service);
    services.sort_by_key(place);
    databases.retain(|_| several);
    Ok(Json(SchemasAnswer { environment, fingerprint, total: services.len(), services, databases, unavailable }))
}
