//! `/api/backup`.

pub(super) mod cancel;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod get;
pub(super) mod list;
pub(super) mod prune;
pub(super) mod restore;
pub(super) mod verify;

use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use web::{Json, Problem};

use super::Api;
use super::answer::CarriedOut;
use crate::operations::{BackupHandle, Caller, OperationError};

/// The answer to a request that starts something with a backup: 202 while it is under way, 200 once it is done, and for whoever
/// waited a problem where it failed or was cancelled; each with the backup as it is then.
async fn started(api: &Api, job: BackupHandle, wait: bool, caller: &Caller) -> Result<Response, Problem> {
    let ended = if wait { Some(job.finished().await) } else { None };
    let backup = api.operations.backup(job.id(), caller).await?;
    let mut response = match ended {
        None => (StatusCode::ACCEPTED, Json(&backup)).into_response(),
        Some(Ok(())) => Json(&backup).into_response(),
        Some(Err(error)) => failed(error).with("backupId", job.id()).with("backup", &backup).into_response(),
    };
    if let Ok(location) = HeaderValue::from_str(&format!("/api/backup/{}", job.id())) {
        response.headers_mut().insert(LOCATION, location);
    }
    response.extensions_mut().insert(CarriedOut);
    Ok(response)
}

fn failed(error: OperationError) -> Problem {
    tracing::warn!(%error, "a backup");
    error.into()
}
