//! `POST /api/backup/restore/{backupId}`

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{JsonOrNothing, Path, Problem};

use super::{not_available, started};
use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::{BackupView, Caller, RestoreOrder};

/// Where to restore.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct RestoreBody {
    /// The backup's id once more.
    #[schema(example = "20260923-080509-auth-service-abcdef")]
    pub(in crate::http) confirm: Option<String>,
    /// The new database's name. Default: one made of the backup's id, `restored_…`.
    pub(in crate::http) into: Option<String>,
    /// On the server of which environment. Default: the one that the backup is of.
    pub(in crate::http) environment: Option<String>,
    /// In place of what is there. Not available yet.
    pub(in crate::http) in_place: bool,
    /// Answer when it is done instead of at once.
    pub(in crate::http) wait: bool,
}

/// Restore a backup into a new database
///
/// The database is there under its name when all of it is there; nothing that is there is touched. `Idempotency-Key` is honoured.
/// Foreign keys to what was not in the backup stand unchecked: `job.uncheckedKeys`. Needs the backup's id in `confirm`.
#[utoipa::path(post, path = "/api/backup/restore/{backupId}", tag = "backup", request_body = RestoreBody,
    params(("backupId" = String, Path, description = "The backup's id")), responses(
    (status = 202, description = "It is under way; `job` says how far", body = BackupView),
    (status = 200, description = "It is restored; `job.into` is the database", body = BackupView),
))]
pub(in crate::http) async fn restore_backup(
    State(api): State<Api>,
    Who(caller): Who,
    Path(id): Path<String>,
    JsonOrNothing(body): JsonOrNothing<RestoreBody>,
) -> Result<Response, Problem> {
    start(&api, &caller, id, body).await
}

pub(in crate::http) async fn start(
    api: &Api,
    caller: &Caller,
    id: String,
    body: RestoreBody,
) -> Result<Response, Problem> {
    if body.in_place {
        return Err(not_available("restores in place", "restore into a new database: leave `inPlace` out"));
    }
    let order = RestoreOrder { id, environment: body.environment, into: body.into, confirm: body.confirm };
    let job = api.operations.start_restore(order, caller).await?;
    started(api, job, body.wait, caller).await
}
