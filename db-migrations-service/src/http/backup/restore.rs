//! `POST /api/backup/restore/{backupId}`

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{JsonOrNothing, Path, Problem};

use super::started;
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
    /// Of which environment: the server for a new database, the database itself otherwise. Default: the one that the backup is of.
    /// Where it has several databases, the one in which the backup's services live.
    pub(in crate::http) environment: Option<String>,
    /// In place of what is there, instead of into a new database. What is there is backed up first: `job.safetyBackup`.
    pub(in crate::http) in_place: bool,
    /// Only these tables, `<schema>.<table>`, beside the live ones under names of their own: `job.tables`. The live ones are not
    /// touched; nobody but their owner may read the restored ones. Absent: all of the backup.
    #[schema(example = json!(["plans.plans"]), min_items = 1, max_items = 100)]
    pub(in crate::http) tables: Option<Vec<String>>,
    /// Answer when it is done instead of at once.
    pub(in crate::http) wait: bool,
}

/// Restore a backup
///
/// Into a new database, which is there under its name when all of it is there; nothing that is there is touched, and foreign keys
/// to what was not in the backup stand unchecked: `job.uncheckedKeys`. With `"inPlace": true` the schemas of the environment's own
/// database are made what they were, in one transaction, with their migration history; until then nobody sees anything of it, and
/// whatever stops it leaves them as they are. No migration runs meanwhile. With `tables` single tables are restored beside the live
/// ones. Needs the backup's id in `confirm`. `Idempotency-Key` is honoured.
#[utoipa::path(post, path = "/api/backup/restore/{backupId}", tag = "backup", request_body = RestoreBody,
    params(("backupId" = String, Path, description = "The backup's id")), responses(
    (status = 202, description = "It is under way; `job` says how far", body = BackupView),
    (status = 200, description = "It is restored; `job` says into what", body = BackupView),
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
    let RestoreBody { confirm, into, environment, in_place, tables, wait } = body;
    let order = RestoreOrder { id, environment, into, in_place, tables, confirm };
    let job = api.operations.start_restore(order, caller).await?;
    started(api, job, wait, caller).await
}
