//! POST /api/users/{id}/restore

use kernel::AppRole;
use service::web::Path;
use service::{Fault, Tenant, Versioned};
use uuid::Uuid;

use super::get::shown;
use crate::error::refused;
use crate::model::{Outcome, User};
use crate::store::manage;

/// Take a removal back
///
/// Roles that were active then are again.
#[utoipa::path(post, path = "/api/users/{id}/restore", tag = "users", params(("id" = Uuid, Path, description = "The person")), responses(
    (status = 200, description = "As they are now", body = User),
    (status = 403, description = "The caller is no administrator of a school"),
    (status = 404, description = "Nobody of the school was removed under this id"),
))]
pub(crate) async fn restore(mut tenant: Tenant, Path(id): Path<Uuid>) -> Result<Versioned<User>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    match manage::restore(&mut tenant.tx, id).await? {
        Outcome::Done => shown(tenant, id).await,
        outcome => Err(refused(outcome, "removed person")),
    }
}
