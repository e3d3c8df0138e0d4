//! `POST /api/migrations/bless`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{Json, Problem};

use crate::http::Api;
use crate::http::auth::Who;

/// Which edited migration to accept, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::http) struct BlessBody {
    /// `<schema>/<version>`.
    migration: String,
    /// An environment of the catalogue. Default: the default environment.
    environment: Option<String>,
    /// Why the file changed after it was applied; kept in the history.
    reason: String,
}

/// What was accepted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct BlessAnswer {
    /// The migration.
    migration: String,
    /// The environment.
    environment: String,
    /// Its checksum as it was applied.
    old_checksum: String,
    /// Its file's checksum, which counts from now on.
    new_checksum: String,
}

/// Accept an edited migration's present file as the applied one
///
/// Runs nothing. On record with who and why.
#[utoipa::path(post, path = "/api/migrations/bless", tag = "migrations", request_body = BlessBody,
    responses((status = 200, description = "It is accepted", body = BlessAnswer)))]
pub(in crate::http) async fn bless_migration(
    State(api): State<Api>,
    Who(caller): Who,
    Json(body): Json<BlessBody>,
) -> Result<Json<BlessAnswer>, Problem> {
    let operations = &api.operations;
    let migration = super::migration(&api, None, "migration", &body.migration)?;
    let environment = operations.environment(body.environment.as_deref())?.environment.clone();
    let (old_checksum, new_checksum) = operations.bless(Some(&environment), &migration, &body.reason, &caller).await?;
    Ok(Json(BlessAnswer { migration: migration.to_string(), environment, old_checksum, new_checksum }))
}
