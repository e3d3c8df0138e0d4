//! `PUT /api/organizations/{id}`

use kernel::AppRole;
use postgres_link::tenant::TenantTx;
use service::web::{Json, Path};
use service::{Fault, IfMatch, Tenant, Versioned};
use uuid::Uuid;

use crate::model::{Details, Organization};
use crate::store::Found;
use crate::{rules, store};

/// Change what a school says of itself
///
/// For its administrators. All of it: what is left out is empty afterwards. With `If-Match` only the version that was read.
#[utoipa::path(put, path = "/api/organizations/{id}", tag = "organizations", request_body = Details,
    params(
        ("id" = Uuid, Path, description = "The school"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was read"),
    ),
    responses(
        (status = 200, description = "The school as it is now", body = Organization),
        (status = 403, description = "The caller is no administrator"),
    ),
)]
pub(crate) async fn update(
    tenant: Tenant,
    if_match: IfMatch,
    Path(id): Path<Uuid>,
    Json(details): Json<Details>,
) -> Result<Versioned<Organization>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let (version, school) = changed(tenant.tx, id, details, &if_match).await?;
    Ok(Versioned(version, school))
}

/// The school after it was changed.
pub(super) async fn changed(mut tx: TenantTx, id: Uuid, details: Details, if_match: &IfMatch) -> Result<Found, Fault> {
    let details = rules::clean(details)?;
    let Some(found) = store::update(&mut tx, id, &details, if_match).await? else {
        // A school that one sees and may not change is somebody else's to run: an administrator of the platform sees it.
        return Err(if_match.missed("school", store::find(&mut tx, id).await?.is_some()));
    };
    tx.commit().await?;
    Ok(found)
}
