//! Whether a session still goes on.

use axum::extract::State;
use kernel::SessionId;
use serde::Serialize;
use service::web::Json;
use service::{Fault, Tenant};
use utoipa::ToSchema;
use uuid::Uuid;

use super::shapes::User;
use crate::model::{Acting, Person};
use crate::state::Auth;

/// A session that goes on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Validated {
    /// Always true: a session that is over is answered with 401.
    valid: bool,
    /// Which.
    session_id: Uuid,
    /// Who.
    user: User,
}

const SESSION: &str = "\
    SELECT u.email, p.first_name, p.last_name \
    FROM auth.sessions s JOIN auth.users u ON u.id = s.user_id LEFT JOIN users.user_profiles p ON p.user_id = u.id \
    WHERE s.id = $1 AND s.user_id = $2 AND s.is_active AND s.expires_at > now() AND u.is_active";

/// Ask whether the session goes on
///
/// Looks at the session itself, so a token whose session has just ended is refused here at once.
#[utoipa::path(get, path = "/api/auth/session/validate", tag = "signing in", responses(
    (status = 200, description = "It does", body = Validated),
    (status = 401, description = "It does not"),
))]
pub(crate) async fn validate(
    State(_auth): State<Auth>,
    Tenant { claims, tx }: Tenant,
) -> Result<Json<Validated>, Fault> {
    let caller = claims.caller();
    let session = caller.session.map(SessionId::uuid).unwrap_or_default();
    let found = tx.last().query_opt(SESSION, &[&session, &caller.user.uuid()]).await?;
    let row = found.ok_or_else(|| Fault::unauthenticated("the session has ended"))?;
    let text = |column: &str| row.get::<_, Option<String>>(column).unwrap_or_default();
    let person =
        Person { name: format!("{} {}", text("first_name"), text("last_name")).trim().to_owned(), ..Person::default() };
    let acting = Acting { organization: caller.organization, role: caller.role };
    Ok(Json(Validated {
        valid: true,
        session_id: session,
        user: User::new(caller.user, &text("email"), &person, acting),
    }))
}
