//! `/api/users/{id}/roles`

use http::StatusCode;
use kernel::AppRole;
use postgres_link::tenant::TxError;
use serde::{Deserialize, Serialize};
use service::web::{Json, Path};
use service::{Answer, Fault, Tenant};
use utoipa::ToSchema;
use uuid::Uuid;

use super::remove::Removed;
use crate::error::refused;
use crate::model::{HeldRole, Outcome};
use crate::store::{manage, people};

/// Roles that somebody holds in the school.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Roles {
    /// Each, the eldest first.
    items: Vec<HeldRole>,
}

/// A role that is to be given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleBody {
    /// Which.
    #[schema(schema_with = service::role_schema, example = "teacher")]
    role: AppRole,
}

/// Which roles somebody holds
///
/// In the caller's school. For administrators, and for oneself.
#[utoipa::path(get, path = "/api/users/{id}/roles", tag = "roles", params(("id" = Uuid, Path, description = "The person")), responses(
    (status = 200, description = "Those that the caller may see", body = Roles),
    (status = 403, description = "The caller belongs to no school"),
))]
pub(crate) async fn list(mut tenant: Tenant, Path(id): Path<Uuid>) -> Result<Json<Roles>, Fault> {
    let school = tenant.organization()?;
    let role = tenant.claims.caller().role;
    people::one(&mut tenant.tx, school, role, id).await?.ok_or_else(|| Fault::no_such("person"))?;
    let items = manage::roles(&mut tenant.tx, school.uuid(), id).await?;
    tenant.tx.commit().await?;
    Ok(Json(Roles { items }))
}

/// Give somebody a role
///
/// It counts at once; who belongs to another school and has no role here gets it when they accept.
#[utoipa::path(post, path = "/api/users/{id}/roles", tag = "roles", params(("id" = Uuid, Path, description = "The person")),
    request_body = RoleBody,
    responses(
        (status = 201, description = "Given", body = HeldRole),
        (status = 403, description = "The caller is no administrator of a school"),
        (status = 409, description = "They have it, or it is the caller"),
    ),
)]
pub(crate) async fn give(
    mut tenant: Tenant,
    Path(id): Path<Uuid>,
    Json(body): Json<RoleBody>,
) -> Result<Answer, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let school = tenant.organization()?.uuid();
    let (outcome, role) = manage::give_role(&mut tenant.tx, id, body.role).await?;
    if outcome != Outcome::Done {
        return Err(refused(outcome, if outcome == Outcome::Exists { "role" } else { "person" }));
    }
    let held = manage::roles(&mut tenant.tx, school, id).await?;
    let held = held.into_iter().find(|held| held.id == role).ok_or(TxError::NotFound)?;
    tenant.tx.commit().await?;
    Ok(Answer::new(StatusCode::CREATED, &held))
}

/// Take a role from somebody
///
/// Sessions that rest on it end. With the last one they leave the school.
#[utoipa::path(delete, path = "/api/users/{id}/roles/{roleId}", tag = "roles",
    params(("id" = Uuid, Path, description = "The person"), ("roleId" = Uuid, Path, description = "Id of the role that they hold")),
    responses(
        (status = 200, description = "Taken", body = Removed),
        (status = 403, description = "The caller is no administrator of a school"),
        (status = 409, description = "It is the caller"),
    ),
)]
pub(crate) async fn take(mut tenant: Tenant, Path((id, role_id)): Path<(Uuid, Uuid)>) -> Result<Json<Removed>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    match manage::take_role(&mut tenant.tx, id, role_id).await? {
        Outcome::Done => {
            tenant.tx.commit().await?;
            Ok(Json(Removed { id: role_id, deleted: true }))
        }
        outcome => Err(refused(outcome, "role")),
    }
}
