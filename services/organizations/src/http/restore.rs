//! `POST /api/organizations/{id}/restore`

use service::web::{Json, Path};
use service::{Fault, Tenant};
use uuid::Uuid;

use super::delete::set_active;
use crate::model::Organization;

/// Open a school again
///
/// For administrators of the platform. Its people sign in as before.
#[utoipa::path(post, path = "/api/organizations/{id}/restore", tag = "organizations",
    params(("id" = Uuid, Path, description = "The school")),
    responses(
        (status = 200, description = "The school as it is now", body = Organization),
        (status = 403, description = "The caller does not run the platform"),
    ),
)]
pub(crate) async fn restore(tenant: Tenant, Path(id): Path<Uuid>) -> Result<Json<Organization>, Fault> {
    set_active(tenant, id, true).await
}
