//! `/api/users/{id}/preferences`

use axum::response::{IntoResponse as _, Response};
use service::web::{Json, Path};
use service::{Fault, IfMatch, Tenant, Versioned};
use uuid::Uuid;

use crate::error::the_persons_own;
use crate::model::Preferences;
use crate::store::profiles;

/// How somebody wants the platform
///
/// For the person; administrators of the only school that they belong to read it, to help.
#[utoipa::path(get, path = "/api/users/{id}/preferences", tag = "profiles", params(("id" = Uuid, Path, description = "The person")), responses(
    (status = 200, description = "Their preferences; the usual ones where they have said nothing", body = Preferences),
))]
pub(crate) async fn get(mut tenant: Tenant, Path(id): Path<Uuid>) -> Result<Response, Fault> {
    let found = profiles::preferences(&mut tenant.tx, id).await?;
    tenant.tx.commit().await?;
    match found {
        Some((version, preferences)) => Ok(Versioned(version, preferences).into_response()),
        None if tenant.claims.caller().user.uuid() == id => Ok(Json(Preferences::default()).into_response()),
        None => Err(Fault::no_such("preferences")),
    }
}

/// Say how one wants the platform
///
/// By the person alone.
#[utoipa::path(put, path = "/api/users/{id}/preferences", tag = "profiles",
    params(
        ("id" = Uuid, Path, description = "The caller"),
        ("If-Match" = Option<String>, Header, description = "The ETag that was read"),
    ),
    request_body = Preferences,
    responses(
        (status = 200, description = "As they are now", body = Preferences),
        (status = 403, description = "It is the person's own"),
        (status = 412, description = "They were changed meanwhile"),
    ),
)]
pub(crate) async fn write(
    mut tenant: Tenant,
    versions: IfMatch,
    Path(id): Path<Uuid>,
    Json(body): Json<Preferences>,
) -> Result<Versioned<Preferences>, Fault> {
    let preferences = body.checked()?;
    if tenant.claims.caller().user.uuid() != id {
        let seen = profiles::preferences(&mut tenant.tx, id).await?;
        return Err(seen.map_or_else(|| Fault::no_such("preferences"), |_| the_persons_own()));
    }
    let written = profiles::write_preferences(&mut tenant.tx, id, &preferences, &versions).await?;
    let (version, written) = written.ok_or_else(|| versions.missed("preferences", true))?;
    tenant.tx.commit().await?;
    Ok(Versioned(version, written))
}
