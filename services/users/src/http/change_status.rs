//! PATCH /api/users/{id}/status

use kernel::AppRole;
use serde::Deserialize;
use service::web::{Json, Path};
use service::{Fault, Tenant, Versioned};
use utoipa::ToSchema;
use uuid::Uuid;

use super::get::shown;
use crate::error::refused;
use crate::model::{Outcome, User};
use crate::store::manage;

/// Whether somebody is let in.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// They are, also who waits for it since they registered.
    Active,
    /// They are not, and their sessions end.
    Inactive,
}

/// The state wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatusBody {
    /// `active` or `inactive`.
    status: Status,
}

/// Let somebody in, or keep them out
///
/// Whoever is kept out is refused everywhere within ten seconds. An account that is this school's alone is closed with it.
#[utoipa::path(patch, path = "/api/users/{id}/status", tag = "users", params(("id" = Uuid, Path, description = "The person")),
    request_body = StatusBody,
    responses(
        (status = 200, description = "As they are now", body = User),
        (status = 403, description = "The caller is no administrator of a school"),
        (status = 409, description = "It is the caller"),
    ),
)]
pub(crate) async fn change_status(
    mut tenant: Tenant,
    Path(id): Path<Uuid>,
    Json(body): Json<StatusBody>,
) -> Result<Versioned<User>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    match manage::set_enabled(&mut tenant.tx, id, matches!(body.status, Status::Active)).await? {
        Outcome::Done => shown(tenant, id).await,
        outcome => Err(refused(outcome, "person")),
    }
}
