//! `GET /api/migrations/certificates`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Json, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::{CertificateOrder, ProofOnRecord};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct CertificatesQuery {
    /// An environment of the catalogue. Default: the default environment.
    environment: Option<String>,
    /// Only this service's migrations.
    service: Option<String>,
    /// Only this migration's, `<schema>/<version>`; then statement by statement.
    migration: Option<String>,
}

/// How migrations were proven.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct CertificatesAnswer {
    /// The environment.
    environment: String,
    /// What is applied, in its order; then what has a certificate and is not applied.
    migrations: Vec<ProofOnRecord>,
}

/// How migrations were proven on a target
///
/// The newest certificate of each that the target keeps, the gates that the run went through which applied it, and those that were
/// passed by. What is proven now, whatever was before, says `/api/migrations/validate`.
#[utoipa::path(get, path = "/api/migrations/certificates", tag = "migrations", params(CertificatesQuery),
    responses((status = 200, description = "Migration by migration", body = CertificatesAnswer)))]
pub(in crate::http) async fn migration_certificates(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<CertificatesQuery>,
) -> Result<Json<CertificatesAnswer>, Problem> {
    let service = query.service.as_deref();
    let migration =
        query.migration.as_deref().map(|text| super::migration(&api, service, "migration", text)).transpose()?;
    let environment = api.operations.environment(query.environment.as_deref())?.environment.clone();
    let order = CertificateOrder { environment: Some(environment.clone()), service: query.service, migration };
    let migrations = api.operations.certificates(&order, &caller).await?;
    Ok(Json(CertificatesAnswer { environment, migrations }))
}
