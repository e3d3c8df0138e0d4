//! `DELETE /api/backup/{backupId}`

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use web::{Json, Path, Problem, Query};

use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::BackupView;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(in crate::http) struct DeleteQuery {
    /// The backup's id once more.
    confirm: Option<String>,
}

/// Delete a backup, for good
///
/// Needs the backup's id in the parameter `confirm`. Who did it is kept.
#[utoipa::path(delete, path = "/api/backup/{backupId}", tag = "backup",
    params(("backupId" = String, Path, description = "The backup's id"), DeleteQuery),
    responses((status = 200, description = "It is gone", body = BackupView)))]
pub(in crate::http) async fn delete_backup(
    State(api): State<Api>,
    Who(caller): Who,
    Path(id): Path<String>,
    Query(query): Query<DeleteQuery>,
) -> Result<Json<BackupView>, Problem> {
    Ok(Json(api.operations.delete_backup(&id, query.confirm.as_deref(), &caller).await?))
}
