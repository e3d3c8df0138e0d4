//! DELETE /api/users/{id}

use kernel::AppRole;
use serde::Serialize;
use service::web::{Json, Path};
use service::{Fault, Tenant};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::refused;
use crate::model::Outcome;
use crate::store::manage;

/// Somebody is not there any more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Removed {
    /// Who.
    pub(crate) id: Uuid,
    /// True.
    pub(crate) deleted: bool,
}

/// Remove somebody from the school
///
/// Their roles are suspended and their sessions end; what they made stays. `POST …/restore` takes it back.
#[utoipa::path(delete, path = "/api/users/{id}", tag = "users", params(("id" = Uuid, Path, description = "The person")), responses(
    (status = 200, description = "Removed", body = Removed),
    (status = 403, description = "The caller is no administrator of a school"),
    (status = 409, description = "It is the caller"),
))]
pub(crate) async fn remove(mut tenant: Tenant, Path(id): Path<Uuid>) -> Result<Json<Removed>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    match manage::remove(&mut tenant.tx, id).await? {
        Outcome::Done => {
            tenant.tx.commit().await?;
            Ok(Json(Removed { id, deleted: true }))
        }
        outcome => Err(refused(outcome, "person")),
    }
}
