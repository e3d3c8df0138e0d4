//! `GET /api/organizations/{id}`

use service::web::Path;
use service::{Fault, Tenant, Versioned};
use uuid::Uuid;

use crate::model::Organization;
use crate::store;

/// A school
///
/// For its members, and for administrators of the platform.
#[utoipa::path(get, path = "/api/organizations/{id}", tag = "organizations", params(("id" = Uuid, Path, description = "The school")),
    responses(
        (status = 200, description = "The school; its ETag is for If-Match", body = Organization),
        (status = 304, description = "The caller has it already"),
    ))]
pub(crate) async fn get(Tenant { tx, .. }: Tenant, Path(id): Path<Uuid>) -> Result<Versioned<Organization>, Fault> {
    let (version, school) = store::find_last(tx, id).await?.ok_or_else(|| Fault::no_such("school"))?;
    Ok(Versioned(version, school))
}
