//! What administrators do for people of their organization. They see no password and set none.

use axum::extract::State;
use http::StatusCode;
use kernel::AppRole;
use serde_json::json;
use service::web::{Json, Path};
use service::{Fault, Tenant};
use uuid::Uuid;

use super::shapes::{Done, Ended};
use crate::errands::kind;
use crate::state::Auth;
use crate::store::errands;

/// Sign somebody out
///
/// Everywhere, or, where the person belongs to other organizations too, in the administrator's own.
#[utoipa::path(delete, path = "/api/auth/users/{id}/sessions", tag = "administration",
    params(("id" = Uuid, Path, description = "Of the person")),
    responses(
        (status = 200, description = "So many sessions have ended", body = Ended),
        (status = 401, description = "Nobody is signed in"),
        (status = 403, description = "The caller is no administrator"),
        (status = 404, description = "Nobody of the organization"),
    ),
)]
pub(crate) async fn end_sessions(
    State(_auth): State<Auth>,
    tenant: Tenant,
    Path(id): Path<Uuid>,
) -> Result<Json<Ended>, Fault> {
    tenant.only(&[AppRole::Admin])?;
    let row = tenant.tx.last().query_one("SELECT auth.end_sessions($1)", &[&id]).await?;
    let ended: Option<i32> = row.get(0);
    ended.map(|ended| Json(Ended { ended: ended.into() })).ok_or_else(|| Fault::no_such("person"))
}

/// Send somebody a link to set a new password
///
/// Their password stays as it is until they use it.
#[utoipa::path(post, path = "/api/auth/users/{id}/reset-password", tag = "administration",
    params(("id" = Uuid, Path, description = "Of the person")),
    responses(
        (status = 202, description = "A letter is on its way to the person", body = Done),
        (status = 401, description = "Nobody is signed in"),
        (status = 403, description = "The caller is no administrator"),
        (status = 404, description = "Nobody of the organization"),
    ),
)]
pub(crate) async fn start_reset(
    State(auth): State<Auth>,
    tenant: Tenant,
    Path(id): Path<Uuid>,
) -> Result<(StatusCode, Json<Done>), Fault> {
    tenant.only(&[AppRole::Admin])?;
    // The policies show people of the school to who still is its administrator.
    let sql = "SELECT email FROM auth.users WHERE id = $1 AND id = ANY ((SELECT users.my_organization_users())::uuid[]) AND is_active";
    let found = tenant.tx.last().query_opt(sql, &[&id]).await?;
    let email: String = found.ok_or_else(|| Fault::no_such("person"))?.get(0);
    errands::add_last(auth.platform.work("start-reset"), kind::RESET, &json!({ "email": email })).await?;
    auth.errands.notify_one();
    Ok((StatusCode::ACCEPTED, Json(Done { status: "sent" })))
}
