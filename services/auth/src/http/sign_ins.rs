//! The audit of sign-ins.

use std::net::IpAddr;

use axum::extract::State;
use postgres_link::tenant::Row;
use serde::{Deserialize, Serialize};
use service::web::{Json, Query};
use service::{Fault, List, Paging, Tenant};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::state::Auth;

/// Whose, and how many.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    /// Whose; the caller's own where nothing is said. Others' are shown to administrators of the only organization they belong to.
    user_id: Option<Uuid>,
    /// How many, 1 to 100; 20 where nothing is said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// Something that happened to an account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignInEvent {
    /// Id.
    id: Uuid,
    /// Whose account.
    user_id: Option<Uuid>,
    /// What: `signed_in`, `wrong_password`, `password_changed`, …
    outcome: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// From where.
    #[schema(value_type = Option<String>)]
    address: Option<IpAddr>,
    /// What the client calls itself.
    user_agent: Option<String>,
    /// Which session.
    session_id: Option<Uuid>,
}

/// The sort key: nanoseconds of Unix time, and the id.
type Key = (i64, Uuid);

const LIST: &str = "\
    SELECT id, user_id, session_id, outcome, address, user_agent, created_at, \
        (SELECT count(*) FROM auth.sign_in_events WHERE user_id = $1) AS total \
    FROM auth.sign_in_events \
    WHERE user_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3)) \
    ORDER BY created_at DESC, id DESC LIMIT $4";

/// List sign-ins, and attempts
///
/// The latest first; kept for half a year.
#[utoipa::path(get, path = "/api/auth/sign-ins", tag = "sessions", params(Asked), responses(
    (status = 200, description = "Those that the caller may see", body = List<SignInEvent>),
    (status = 400, description = "A parameter cannot be used"),
    (status = 401, description = "Nobody is signed in"),
))]
pub(crate) async fn list(
    State(_auth): State<Auth>,
    Tenant { claims, tx }: Tenant,
    Query(asked): Query<Asked>,
) -> Result<Json<List<SignInEvent>>, Fault> {
    let page = Paging { limit: asked.limit, cursor: asked.cursor, page: None }.page::<Key>()?;
    let user = asked.user_id.unwrap_or(claims.caller().user.uuid());
    let after =
        page.after().and_then(|(at, id)| Some((OffsetDateTime::from_unix_timestamp_nanos((*at).into()).ok()?, *id)));
    let (after_at, after_id) = after.map_or((None, None), |(at, id)| (Some(at), Some(id)));
    let rows = tx.last().query(LIST, &[&user, &after_at, &after_id, &page.fetch()]).await?;
    let total = rows.first().map_or(0, |row| row.get("total"));
    let items = rows.iter().map(event).collect();
    Ok(Json(page.list(items, total, |last: &SignInEvent| (last.at.unix_timestamp_nanos() as i64, last.id))))
}

fn event(row: &Row) -> SignInEvent {
    SignInEvent {
        id: row.get("id"),
        user_id: row.get("user_id"),
        outcome: row.get("outcome"),
        at: row.get("created_at"),
        address: row.get("address"),
        user_agent: row.get("user_agent"),
        session_id: row.get("session_id"),
    }
}
