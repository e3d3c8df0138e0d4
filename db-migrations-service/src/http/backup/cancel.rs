//! `POST /api/backup/{backupId}/cancel`

use axum::extract::State;
use http::StatusCode;
use web::{Json, Path, Problem};

use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::BackupView;

/// Stop what is being done with a backup
///
/// Its making, its verification, its restore: what was begun is taken back. The answer shows it as it is when the stop is asked for.
#[utoipa::path(post, path = "/api/backup/{backupId}/cancel", tag = "backup",
    params(("backupId" = String, Path, description = "The backup's id")),
    responses((status = 202, description = "It is being stopped", body = BackupView)))]
pub(in crate::http) async fn cancel_backup(
    State(api): State<Api>,
    Who(caller): Who,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<BackupView>), Problem> {
    Ok((StatusCode::ACCEPTED, Json(api.operations.cancel_backup(&id, &caller).await?)))
}
