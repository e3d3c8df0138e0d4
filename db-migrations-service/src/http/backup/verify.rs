//! `POST /api/backup/{backupId}/verify`

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{JsonOrNothing, Path, Problem};

use super::started;
use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::BackupView;

/// How to answer.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct VerifyBackupBody {
    /// Answer when it is done instead of at once.
    wait: bool,
}

/// Find out whether a backup can be restored
///
/// It is, into a scratch database on its environment's server, and definitions and rows are compared with what was backed up. What
/// that has shown stands in `verification` afterwards; that it does not hold is an answer, not a problem.
#[utoipa::path(post, path = "/api/backup/{backupId}/verify", tag = "backup", request_body = VerifyBackupBody,
    params(("backupId" = String, Path, description = "The backup's id")), responses(
    (status = 202, description = "It is under way", body = BackupView),
    (status = 200, description = "It is done", body = BackupView),
))]
pub(in crate::http) async fn verify_backup(
    State(api): State<Api>,
    Who(caller): Who,
    Path(id): Path<String>,
    JsonOrNothing(body): JsonOrNothing<VerifyBackupBody>,
) -> Result<Response, Problem> {
    let job = api.operations.start_verification(&id, &caller).await?;
    started(&api, job, body.wait, &caller).await
}
