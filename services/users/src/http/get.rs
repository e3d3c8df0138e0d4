//! GET /api/users/{id}

use service::web::Path;
use service::{Fault, Tenant, Versioned};
use uuid::Uuid;

use crate::model::User;
use crate::store::people;

/// One person
#[utoipa::path(get, path = "/api/users/{id}", tag = "users", params(("id" = Uuid, Path, description = "The person")), responses(
    (status = 200, description = "As the school knows them; its version stands in ETag", body = User),
    (status = 403, description = "The caller belongs to no school"),
))]
pub(crate) async fn get(tenant: Tenant, Path(id): Path<Uuid>) -> Result<Versioned<User>, Fault> {
    let school = tenant.organization()?;
    let found = people::one_last(tenant.tx, school, tenant.claims.caller().role, id).await?;
    found.map(|(version, user)| Versioned(version, user)).ok_or_else(|| Fault::no_such("person"))
}

/// The person as they are now; what was changed before is kept, unless the caller sees nobody.
pub(crate) async fn shown(mut tenant: Tenant, id: Uuid) -> Result<Versioned<User>, Fault> {
    let school = tenant.organization()?;
    let role = tenant.claims.caller().role;
    let found = people::one(&mut tenant.tx, school, role, id).await?;
    let (version, user) = found.ok_or_else(|| Fault::no_such("person"))?;
    tenant.tx.commit().await?;
    Ok(Versioned(version, user))
}
