//! `GET /api/backup/list`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{Json, Problem, Query};

use crate::http::auth::Who;
use crate::http::{Api, page};
use crate::operations::{BackupFilter, BackupStatus, BackupView};

/// Backups per page, where the request does not say.
const PAGE: u32 = 50;
const LONGEST_PAGE: u32 = 200;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(in crate::http) struct BackupsQuery {
    /// Only of this environment: of all its databases.
    environment: Option<String>,
    /// Only those that have this service: its own, and those of whole databases.
    service: Option<String>,
    /// Only `running`, `ready`, `damaged`, `missing`, `failed`, `cancelled` or `interrupted`. Default: what is in the storage or is
    /// being made.
    status: Option<String>,
    /// Backups per page, 1 to 200. Default: 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    before: Option<String>,
}

/// A page of backups.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct BackupsAnswer {
    /// Newest first.
    backups: Vec<BackupView>,
    /// How many there are in all that the request asks for.
    total: usize,
    /// `before` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List backups
///
/// What is in the storage, with what its verification has shown. What was not made is listed only where `status` asks for it.
#[utoipa::path(get, path = "/api/backup/list", tag = "backup", params(BackupsQuery),
    responses((status = 200, description = "A page of them, newest first", body = BackupsAnswer)))]
pub(in crate::http) async fn list_backups(
    State(api): State<Api>,
    Who(caller): Who,
    Query(query): Query<BackupsQuery>,
) -> Result<Json<BackupsAnswer>, Problem> {
    let limit = page::size(query.limit, PAGE, LONGEST_PAGE)? as usize;
    let status = query
        .status
        .map(|word| page::one_of(BackupStatus::ALL, BackupStatus::as_str, "status", &word, "backup"))
        .transpose()?;
    let filter = BackupFilter {
        environments: api.operations.listed_databases(query.environment.as_deref())?,
        service: query.service,
        status,
        before: query.before,
        limit,
    };
    let (backups, total) = api.operations.backups(&filter, &caller).await?;
    let next = page::next(&backups, limit, |backup| backup.backup_id.clone());
    Ok(Json(BackupsAnswer { backups, total, next }))
}
