//! `POST /api/schemas/restore`

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{JsonOrNothing, Problem};

use crate::http::auth::Who;
use crate::http::backup::restore::{self, RestoreBody};
use crate::http::{Api, codes};
use crate::operations::BackupView;

/// What to restore, and where.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct RestoreSchemasBody {
    /// The backup.
    #[schema(required, example = "20260923-080509-auth-service-abcdef")]
    backup_id: Option<String>,
    /// The backup's id once more.
    confirm: Option<String>,
    /// The new database's name. Default: one made of the backup's id, `restored_…`.
    into: Option<String>,
    /// Of which environment: the server for a new database, the database itself otherwise. Default: the one that the backup is of.
    /// Where it has several databases, the one in which the backup's services live.
    environment: Option<String>,
    /// In place of what is there, instead of into a new database. What is there is backed up first: `job.safetyBackup`.
    in_place: bool,
    /// Only these tables, `<schema>.<table>`, beside the live ones under names of their own: `job.tables`. Absent: all of the backup.
    #[schema(example = json!(["plans.plans"]), min_items = 1, max_items = 100)]
    tables: Option<Vec<String>>,
    /// Answer when it is done instead of at once.
    wait: bool,
}

/// Restore the schemas of a backup
///
/// The same as `POST /api/backup/restore/{backupId}`.
#[utoipa::path(post, path = "/api/schemas/restore", tag = "schemas", request_body = RestoreSchemasBody, responses(
    (status = 202, description = "It is under way; `job` says how far", body = BackupView),
    (status = 200, description = "It is restored; `job` says into what", body = BackupView),
))]
pub(in crate::http) async fn restore_schemas(
    State(api): State<Api>,
    Who(caller): Who,
    JsonOrNothing(body): JsonOrNothing<RestoreSchemasBody>,
) -> Result<Response, Problem> {
    let RestoreSchemasBody { backup_id, confirm, into, environment, in_place, tables, wait } = body;
    let id = backup_id.ok_or_else(|| {
        Problem::new(codes::INVALID_REQUEST)
            .detail("it does not say which backup to restore")
            .with("member", "backupId")
            .cure("give the backup's id as \"backupId\"; list the backups to find it")
    })?;
    restore::start(&api, &caller, id, RestoreBody { confirm, into, environment, in_place, tables, wait }).await
}
