//! Sessions: begun, refreshed, ended.

use kernel::{AppRole, OrganizationId, SessionId, UserId};
use postgres_link::tenant::{TenantTx, TxError};
use uuid::Uuid;

use crate::model::{Acting, Origin, Refreshable};
use crate::settings::Lifetimes;
use crate::tokens::RefreshToken;

/// In which organization and as what a session acts, of its columns.
pub(crate) fn acting(organization: Option<Uuid>, role: Option<String>) -> Acting {
    Acting { organization: organization.map(OrganizationId::new), role: role.and_then(|role| role.parse().ok()) }
}

/// The session of this family, kept from others until the transaction ends.
pub(crate) async fn of_family(tx: &mut TenantTx, family: &str) -> Result<Option<Refreshable>, TxError> {
    let sql = "SELECT s.id, s.user_id, u.email, s.is_active AND s.expires_at > now() AND u.is_active AS is_live, \
                   coalesce(s.refresh_token, '') AS current, s.previous_refresh_token AS previous, s.refresh_salt AS salt, \
                   extract(epoch FROM now() - coalesce(s.refreshed_at, s.created_at))::float8 AS age_s, s.organization_id, s.role \
               FROM auth.sessions s JOIN auth.users u ON u.id = s.user_id WHERE s.token = $1 FOR NO KEY UPDATE OF s";
    Ok(tx.query_opt(sql, &[&family]).await?.map(|row| Refreshable {
        session: SessionId::new(row.get("id")),
        user: UserId::new(row.get("user_id")),
        email: row.get("email"),
        is_live: row.get("is_live"),
        current: row.get("current"),
        previous: row.get("previous"),
        salt: row.get("salt"),
        age_s: row.get("age_s"),
        acting: acting(row.get("organization_id"), row.get("role")),
    }))
}

/// What a refresh writes.
pub(crate) struct Rotation<'a> {
    pub(crate) session: SessionId,
    pub(crate) replaced: &'a RefreshToken,
    pub(crate) next: &'a RefreshToken,
    pub(crate) salt: &'a [u8],
    pub(crate) acting: Acting,
    pub(crate) origin: &'a Origin,
    pub(crate) lifetimes: &'a Lifetimes,
}

/// Puts the next token in the place of the current one, as the last thing of a transaction.
pub(crate) async fn rotate(tx: TenantTx, rotation: Rotation<'_>) -> Result<(), TxError> {
    let sql = "UPDATE auth.sessions SET refresh_token = $2, previous_refresh_token = $3, refresh_salt = $4, refreshed_at = now(), \
                   organization_id = $5, role = $6, address = $7, \
                   expires_at = least(coalesce(ends_at, expires_at), now() + make_interval(secs => $8)) \
               WHERE id = $1";
    let Rotation { session, replaced, next, salt, acting, origin, lifetimes } = rotation;
    let (next, replaced) = (next.secret_hash(), replaced.secret_hash());
    let parameters: &[&(dyn postgres_link::tenant::types::ToSql + Sync)] = &[
        &session.uuid(),
        &next,
        &replaced,
        &salt,
        &acting.organization.map(OrganizationId::uuid),
        &acting.role.map(AppRole::as_str),
        &origin.address,
        &lifetimes.idle.as_secs_f64(),
    ];
    tx.last().execute(sql, parameters).await.map(drop)
}

/// Ends one session.
pub(crate) async fn end(tx: &mut TenantTx, session: SessionId) -> Result<bool, TxError> {
    let sql = "UPDATE auth.sessions SET is_active = false WHERE id = $1 AND is_active";
    Ok(tx.execute(sql, &[&session.uuid()]).await? > 0)
}

/// Ends all sessions of somebody but one. How many; those that were over long ago are left alone, for no token of theirs lives.
pub(crate) async fn end_others(tx: &mut TenantTx, user: UserId, but: Option<SessionId>) -> Result<u64, TxError> {
    let sql = "UPDATE auth.sessions SET is_active = false \
               WHERE user_id = $1 AND is_active AND expires_at > now() - interval '1 hour' AND id IS DISTINCT FROM $2";
    tx.execute(sql, &[&user.uuid(), &but.map(SessionId::uuid)]).await
}

/// Sessions that ended while tokens of theirs may still be believed, with the second until which that is so.
pub(crate) async fn revoked(tx: TenantTx, believed_s: f64) -> Result<Vec<(SessionId, i64)>, TxError> {
    let sql = "SELECT id, ceil(extract(epoch FROM ended_at + make_interval(secs => $1)))::int8 FROM auth.sessions \
               WHERE ended_at > now() - make_interval(secs => $1) ORDER BY ended_at, id";
    let rows = tx.last().query(sql, &[&believed_s]).await?;
    Ok(rows.iter().map(|row| (SessionId::new(row.get(0)), row.get(1))).collect())
}
