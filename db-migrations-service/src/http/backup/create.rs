//! `POST /api/backup/create`

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{JsonOrNothing, Problem};

use super::started;
use crate::http::auth::Who;
use crate::http::{Api, codes};
use crate::operations::{BackupOrder, BackupView, Caller};

/// What to back up.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct BackupBody {
    /// A service of the catalogue: its schemas. Default: the whole database.
    #[schema(example = "auth-service")]
    service: Option<String>,
    /// Several services, instead of `service`.
    services: Vec<String>,
    /// An environment of the catalogue. Default: the default environment.
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
    };
    let job = api.operations.start_backup(order, caller).await?;
    api.operations.verify_when_made(&job, caller);
    started(api, job, body.wait, caller).await
}
