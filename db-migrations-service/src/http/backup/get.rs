//! `GET /api/backup/{backupId}`

use axum::extract::State;
use web::{Json, Path, Problem};

use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::BackupView;

/// One backup
///
/// With what is being done with it, and how far that has come.
#[utoipa::path(get, path = "/api/backup/{backupId}", tag = "backup",
    params(("backupId" = String, Path, description = "The backup's id")),
    responses((status = 200, description = "Where it stands", body = BackupView)))]
pub(in crate::http) async fn get_backup(
    State(api): State<Api>,
    Who(caller): Who,
    Path(id): Path<String>,
) -> Result<Json<BackupView>, Problem> {
    Ok(Json(api.operations.backup(&id, &caller).await?))
}
