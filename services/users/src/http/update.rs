//! PUT /api/users/{id}

use kernel::AppRole;
use serde::Deserialize;
use serde_json::json;
use service::web::{Json, Path};
use service::{Fault, IfMatch, Tenant, Versioned};
use utoipa::ToSchema;
use uuid::Uuid;

use super::get::shown;
use crate::error::refused;
use crate::model::{Outcome, User};
use crate::rules::{name, optional};
use crate::store::manage;

/// What a school says of a person. Roles, state and address have routes of their own, or are the person's.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UserBody {
    /// Given names.
    #[schema(min_length = 1, max_length = 100)]
    first_name: String,
    /// Family names.
    #[schema(min_length = 1, max_length = 100)]
    last_name: String,
    /// Telephone; it goes where none is said.
    #[schema(max_length = 20)]
    phone: Option<String>,
    /// Number in the school's own register; it goes where none is said.
    #[schema(max_length = 255)]
    source_id: Option<String>,
}

/// Change a person
///
/// The name of somebody who belongs to another school, too, is theirs to change (403).
#[utoipa::path(put, path = "/api/users/{id}", tag = "users",
    params(
        ("id" = Uuid, Path, description = "The person"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was read"),
    ),
    request_body = UserBody,
    responses(
        (status = 200, description = "As they are now", body = User),
        (status = 403, description = "The caller is no administrator of a school, or it is the person's own"),
        (status = 409, description = "Somebody else has this number in the school's register"),
        (status = 412, description = "They were changed meanwhile"),
    ),
)]
pub(crate) async fn update(
    mut tenant: Tenant,
    versions: IfMatch,
    Path(id): Path<Uuid>,
    Json(body): Json<UserBody>,
) -> Result<Versioned<User>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let given = json!({
        "firstName": name("firstName", &body.first_name)?,
        "lastName": name("lastName", &body.last_name)?,
        "phone": optional("phone", body.phone.as_deref(), 20)?,
        "sourceId": optional("sourceId", body.source_id.as_deref(), 255)?,
    });
    match manage::write(&mut tenant.tx, id, &given, &versions).await? {
        Outcome::Done => shown(tenant, id).await,
        outcome => Err(refused(outcome, "person")),
    }
}
