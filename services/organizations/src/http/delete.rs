//! `DELETE /api/organizations/{id}`

use kernel::AppRole;
use service::web::{Json, Path};
use service::{Fault, Tenant};
use uuid::Uuid;

use crate::model::Organization;
use crate::store;

/// Suspend a school
///
/// For administrators of the platform. Nobody can act for it any more, whoever is signed in to it is signed out, and nothing is lost:
/// `POST …/restore` opens it again.
#[utoipa::path(delete, path = "/api/organizations/{id}", tag = "organizations", params(("id" = Uuid, Path, description = "The school")),
    responses(
        (status = 200, description = "The school as it is now", body = Organization),
        (status = 403, description = "The caller does not run the platform"),
    ),
)]
pub(crate) async fn delete(tenant: Tenant, Path(id): Path<Uuid>) -> Result<Json<Organization>, Fault> {
    set_active(tenant, id, false).await
}

/// Suspends a school or opens it again.
pub(super) async fn set_active(tenant: Tenant, id: Uuid, active: bool) -> Result<Json<Organization>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let mut tx = tenant.tx;
    let done = store::set_active(&mut tx, id, active).await?;
    let found = store::find(&mut tx, id).await?;
    let (_, school) = found.ok_or_else(|| Fault::no_such("school"))?;
    if !done {
        return Err(Fault::forbidden("schools are suspended and opened by administrators of the platform"));
    }
    tx.commit().await?;
    Ok(Json(school))
}
