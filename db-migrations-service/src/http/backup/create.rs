//! `POST /api/backup/create`

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Json, JsonOrNothing, Problem};

use super::{failed, started};
use crate::http::answer::CarriedOut;
use crate::http::auth::Who;
use crate::http::databases::nobody;
use crate::http::{Api, codes};
use crate::operations::{BACKUPS_GO_ON, BackupOrder, BackupView, BackupsBegun, Caller, OperationError, Unavailable};

/// What to back up.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct BackupBody {
    /// A service of the catalogue: its schemas, in the database that it lives in. Default: the whole database.
    #[schema(example = "auth-service")]
    service: Option<String>,
    /// Several services, instead of `service`; of each database that they live in one backup is made.
    services: Vec<String>,
    /// An environment of the catalogue, each of its databases. Default: the default environment.
    environment: Option<String>,
    /// What it is for.
    #[schema(example = "Pre-deployment", max_length = 1000)]
    description: Option<String>,
    /// How long to keep it, days. Default: as the rules say.
    #[schema(minimum = 1, maximum = 36500)]
    retention_days: Option<u32>,
    /// Answer when it is done instead of at once.
    wait: bool,
}

/// Make a backup
///
/// Of one service, several, or a whole database, from one snapshot, by PostgreSQL's own tools. Answers at once with the backup's id;
/// with `"wait": true` when it is made. `Idempotency-Key` is honoured. Follow it at `GET /api/backup/{backupId}`: `job.progress`. Where the
/// environment says so it is verified next, which nobody waits for: `verification` says what that has shown.
///
/// Of an environment with several databases one is made of each: `databases`. One that cannot be begun keeps no other from being
/// made; the answer is its problem then, with what was begun in `databases` and the others in `unavailable`.
#[utoipa::path(post, path = "/api/backup/create", tag = "backup", request_body = BackupBody, responses(
    (status = 202, description = "It is being made", body = BackupView),
    (status = 200, description = "It is made", body = BackupView),
))]
pub(in crate::http) async fn create_backup(
    State(api): State<Api>,
    Who(caller): Who,
    JsonOrNothing(body): JsonOrNothing<BackupBody>,
) -> Result<Response, Problem> {
    start(&api, &caller, body).await
}

pub(in crate::http) async fn start(api: &Api, caller: &Caller, body: BackupBody) -> Result<Response, Problem> {
    if body.service.is_some() && !body.services.is_empty() {
        return Err(Problem::new(codes::INVALID_REQUEST)
            .detail("service and services exclude each other")
            .with("member", "services")
            .cure("keep one of them"));
    }
    let order = BackupOrder {
        environment: body.environment,
        services: body.service.into_iter().chain(body.services).collect(),
        description: body.description,
        retention_days: body.retention_days,
        goes_on: BACKUPS_GO_ON,
    };
    let begun = api.operations.start_backups(&order, caller).await?;
    for job in &begun.jobs {
        api.operations.verify_when_made(job, caller);
    }
    if let ([only], []) = (begun.jobs.as_slice(), begun.refused.as_slice()) {
        return started(api, only.clone(), body.wait, caller).await;
    }
    several(api, begun, body.wait, caller).await
}

/// One is told as the first of several, or as what keeps another from being made.
async fn several(api: &Api, begun: BackupsBegun, wait: bool, caller: &Caller) -> Result<Response, Problem> {
    let mut wrong: Vec<(String, OperationError)> = Vec::new();
    let mut backups = Vec::new();
    for job in &begun.jobs {
        let ended = if wait { job.finished().await } else { Ok(()) };
        let backup = api.operations.backup(job.id(), caller).await?;
        wrong.extend(ended.err().map(|error| (backup.environment.clone(), error)));
        backups.push(backup);
    }
    let unavailable: Vec<_> = begun.refused.iter().map(|(name, error)| Unavailable::new(name, error)).collect();
    wrong.extend(begun.refused);
    let mut response = match wrong.into_iter().next() {
        None => {
            let first = backups.first().cloned().ok_or_else(nobody)?;
            let status = if wait { StatusCode::OK } else { StatusCode::ACCEPTED };
            (status, Json(BackupView { databases: backups, ..first })).into_response()
        }
        Some((environment, error)) => {
            let problem = failed(error).with("environment", environment).with("databases", &backups);
            problem.with("unavailable", &unavailable).into_response()
        }
    };
    response.extensions_mut().insert(CarriedOut);
    Ok(response)
}
