//! One's own sessions.

use std::net::IpAddr;

use axum::extract::State;
use kernel::SessionId;
use postgres_link::tenant::Row;
use serde::Serialize;
use service::web::{Json, Path};
use service::{AsService, Fault, SignedIn, Tenant};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::shapes::{Done, Ended};
use crate::model::{Origin, Outcome};
use crate::state::Auth;
use crate::store::{events, sessions};

/// A place where one is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    /// Ends it: `DELETE /api/auth/sessions/{id}`.
    id: Uuid,
    /// Whether it is the one that asks.
    current: bool,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it was last gone on with.
    #[serde(with = "time::serde::rfc3339::option")]
    last_used_at: Option<OffsetDateTime>,
    /// When it ends by itself unless it is gone on with.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// From where it was last gone on with.
    #[schema(value_type = Option<String>)]
    address: Option<IpAddr>,
    /// What the client calls itself.
    user_agent: Option<String>,
    /// In which organization.
    organization_id: Option<Uuid>,
    /// As what.
    role: Option<String>,
}

/// Sessions that go on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sessions {
    /// The latest first; at most 200.
    items: Vec<Session>,
    /// How many these are.
    total: i64,
}

const LIST: &str = "\
    SELECT id, created_at, refreshed_at, expires_at, address, user_agent, organization_id, role \
    FROM auth.sessions WHERE user_id = $1 AND is_active AND expires_at > now() ORDER BY created_at DESC, id LIMIT 200";

/// List one's sessions
#[utoipa::path(get, path = "/api/auth/sessions", tag = "sessions", responses(
    (status = 200, description = "Those that go on", body = Sessions),
    (status = 401, description = "Nobody is signed in"),
))]
pub(crate) async fn list(State(_auth): State<Auth>, Tenant { claims, tx }: Tenant) -> Result<Json<Sessions>, Fault> {
    let caller = claims.caller();
    let current = caller.session.map(SessionId::uuid);
    let rows = tx.last().query(LIST, &[&caller.user.uuid()]).await?;
    let items: Vec<_> = rows.iter().map(|row| session(row, current)).collect();
    Ok(Json(Sessions { total: items.len() as i64, items }))
}

fn session(row: &Row, current: Option<Uuid>) -> Session {
    let id = row.get("id");
    Session {
        id,
        current: current == Some(id),
        created_at: row.get("created_at"),
        last_used_at: row.get("refreshed_at"),
        expires_at: row.get("expires_at"),
        address: row.get("address"),
        user_agent: row.get("user_agent"),
        organization_id: row.get("organization_id"),
        role: row.get("role"),
    }
}

/// End one of one's sessions
#[utoipa::path(delete, path = "/api/auth/sessions/{id}", tag = "sessions",
    params(("id" = Uuid, Path, description = "Of the session")),
    responses(
        (status = 200, description = "It has ended", body = Done),
        (status = 401, description = "Nobody is signed in"),
        (status = 404, description = "None of the caller's, or it had ended"),
    ),
)]
pub(crate) async fn end(
    State(auth): State<Auth>,
    origin: Origin,
    Tenant { claims, mut tx }: Tenant,
    Path(id): Path<Uuid>,
) -> Result<Json<Done>, Fault> {
    let user = claims.caller().user;
    let sql = "UPDATE auth.sessions SET is_active = false WHERE id = $1 AND user_id = $2 AND is_active";
    if tx.execute(sql, &[&id, &user.uuid()]).await? == 0 {
        return Err(Fault::no_such("session"));
    }
    tx.commit().await?;
    let session = Some(SessionId::new(id));
    events::note_last(auth.platform.work("sessions"), Some(user), session, Outcome::SessionEnded, &origin).await?;
    Ok(Json(Done { status: "ended" }))
}

/// End all of one's sessions but this one
#[utoipa::path(delete, path = "/api/auth/sessions", tag = "sessions", responses(
    (status = 200, description = "So many have ended", body = Ended),
    (status = 401, description = "Nobody is signed in"),
))]
pub(crate) async fn end_others(
    State(_auth): State<Auth>,
    caller: SignedIn,
    AsService(mut tx): AsService,
    origin: Origin,
) -> Result<Json<Ended>, Fault> {
    let ended = sessions::end_others(&mut tx, caller.user(), caller.0.caller().session).await?;
    if ended > 0 {
        events::note(&mut tx, Some(caller.user()), None, Outcome::SessionEnded, &origin).await?;
    }
    tx.commit().await?;
    Ok(Json(Ended { ended: ended as i64 }))
}
