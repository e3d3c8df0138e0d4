//! GET /api/users/{id}/children

use service::web::{Json, Path};
use service::{Fault, Tenant};
use uuid::Uuid;

use super::guardians::Relatives;
use crate::store::{people, relatives};

/// Whom a parent follows
///
/// For administrators, and for the parent.
#[utoipa::path(get, path = "/api/users/{id}/children", tag = "guardians", params(("id" = Uuid, Path, description = "The parent")), responses(
    (status = 200, description = "Those whom the caller may see", body = Relatives),
    (status = 403, description = "The caller belongs to no school"),
))]
pub(crate) async fn list(mut tenant: Tenant, Path(id): Path<Uuid>) -> Result<Json<Relatives>, Fault> {
    let school = tenant.organization()?;
    let role = tenant.claims.caller().role;
    people::one(&mut tenant.tx, school, role, id).await?.ok_or_else(|| Fault::no_such("person"))?;
    let items = relatives::children(&mut tenant.tx, school.uuid(), id).await?;
    tenant.tx.commit().await?;
    Ok(Json(Relatives { items }))
}
