//! `/api/users/{id}/profile`

use kernel::AppRole;
use postgres_link::tenant::TenantTx;
use service::web::{Json, Path};
use service::{Fault, IfMatch, Tenant, Version, Versioned};
use uuid::Uuid;

use crate::error::the_persons_own;
use crate::model::{Profile, User};
use crate::store::{people, profiles};

/// Who somebody is
///
/// For the person, the administrators of their school, the teachers of their courses, and their parents.
#[utoipa::path(get, path = "/api/users/{id}/profile", tag = "profiles", params(("id" = Uuid, Path, description = "The person")), responses(
    (status = 200, description = "Their profile; its version stands in ETag", body = Profile),
))]
pub(crate) async fn get(mut tenant: Tenant, Path(id): Path<Uuid>) -> Result<Versioned<Profile>, Fault> {
    let found = profiles::profile(&mut tenant.tx, id).await?;
    let found = match found {
        Some(found) => Some(found),
        None => listed(&mut tenant, id).await?,
    };
    let (version, profile) = found.ok_or_else(|| Fault::no_such("person"))?;
    tenant.tx.commit().await?;
    Ok(Versioned(version, profile))
}

/// Of who has not accepted yet, what the school wrote itself.
async fn listed(tenant: &mut Tenant, id: Uuid) -> Result<Option<(Version, Profile)>, Fault> {
    let caller = tenant.claims.caller();
    let (Some(school), Some(AppRole::Admin)) = (caller.organization, caller.role) else { return Ok(None) };
    let found = people::one(&mut tenant.tx, school, caller.role, id).await?;
    Ok(found.map(|(version, user)| {
        let User { first_name, last_name, .. } = user;
        (version, Profile { first_name, last_name, phone: None, date_of_birth: None, gender: None, avatar_url: None })
    }))
}

/// Say who somebody is
///
/// By the person, or by the administrator of the only school that they belong to. What is not said goes, but for the picture.
#[utoipa::path(put, path = "/api/users/{id}/profile", tag = "profiles",
    params(
        ("id" = Uuid, Path, description = "The person"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was read"),
    ),
    request_body = Profile,
    responses(
        (status = 200, description = "As it is now", body = Profile),
        (status = 403, description = "It is the person's own"),
        (status = 412, description = "It was changed meanwhile"),
    ),
)]
pub(crate) async fn write(
    mut tenant: Tenant,
    versions: IfMatch,
    Path(id): Path<Uuid>,
    Json(body): Json<Profile>,
) -> Result<Versioned<Profile>, Fault> {
    let profile = body.checked()?;
    let Some((version, written)) = profiles::write_profile(&mut tenant.tx, id, &profile, &versions).await? else {
        return Err(missed(tenant.tx, id, Some(&versions)).await?);
    };
    tenant.tx.commit().await?;
    Ok(Versioned(version, written))
}

/// Why a profile was not written: it is not seen, it has another version, or it is the person's alone.
pub(super) async fn missed(mut tx: TenantTx, id: Uuid, versions: Option<&IfMatch>) -> Result<Fault, Fault> {
    let Some((version, _)) = profiles::profile(&mut tx, id).await? else { return Ok(Fault::no_such("person")) };
    match versions {
        Some(versions) if !versions.allows(&version) => Ok(versions.missed("profile", true)),
        _ => Ok(the_persons_own()),
    }
}
