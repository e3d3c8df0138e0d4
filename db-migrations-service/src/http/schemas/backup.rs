//! `POST /api/schemas/backup`

use axum::extract::State;
use axum::response::Response;
use web::{JsonOrNothing, Problem};

use crate::http::Api;
use crate::http::auth::Who;
use crate::http::backup::create::{self, BackupBody};
use crate::operations::BackupView;

/// Back up the schemas of services
///
/// The same as `POST /api/backup/create`.
#[utoipa::path(post, path = "/api/schemas/backup", tag = "schemas", request_body = BackupBody, responses(
    (status = 202, description = "It is being made", body = BackupView),
    (status = 200, description = "It is made", body = BackupView),
))]
pub(in crate::http) async fn back_up_schemas(
    State(api): State<Api>,
    Who(caller): Who,
    JsonOrNothing(body): JsonOrNothing<BackupBody>,
) -> Result<Response, Problem> {
    create::start(&api, &caller, body).await
}
