//! Tokens in mailed links: each for one purpose and one address, used once.

use std::time::Duration;

use kernel::UserId;
use postgres_link::tenant::{TenantTx, TxError};

/// Keeps a permission to set a new password.
pub(crate) async fn add_reset(
    tx: &mut TenantTx,
    user: UserId,
    email: &str,
    hash: &str,
    life: Duration,
) -> Result<(), TxError> {
    let sql = "INSERT INTO auth.password_resets (user_id, email, token, expires_at) \
               VALUES ($1, $2, $3, now() + make_interval(secs => $4))";
    tx.execute(sql, &[&user.uuid(), &email, &hash, &life.as_secs_f64()]).await.map(drop)
}

/// Keeps a proof of an address; those that were mailed before are void.
pub(crate) async fn add_verification(
    tx: &mut TenantTx,
    user: UserId,
    email: &str,
    hash: &str,
    life: Duration,
) -> Result<(), TxError> {
    let void = "UPDATE auth.email_verifications SET expires_at = now() WHERE user_id = $1 AND used_at IS NULL AND expires_at > now()";
    tx.execute(void, &[&user.uuid()]).await?;
    let sql = "INSERT INTO auth.email_verifications (user_id, email, token, expires_at) \
               VALUES ($1, $2, $3, now() + make_interval(secs => $4))";
    tx.execute(sql, &[&user.uuid(), &email, &hash, &life.as_secs_f64()]).await.map(drop)
}

/// Whose password a token lets set, and for how long yet, seconds; it stays usable.
pub(crate) async fn reset_is_good(tx: &mut TenantTx, hash: &str) -> Result<Option<(UserId, String, f64)>, TxError> {
    let sql = "SELECT u.id, u.email, extract(epoch FROM r.expires_at - now())::float8 \
               FROM auth.password_resets r JOIN auth.users u ON u.id = r.user_id AND lower(u.email) = lower(r.email) AND u.is_active \
               WHERE r.token = $1 AND r.used_at IS NULL AND r.expires_at > now()";
    let found = tx.query_opt(sql, &[&hash]).await?;
    Ok(found.map(|row| (UserId::new(row.get(0)), row.get(1), row.get(2))))
}

/// Uses a token up. `None` where it is not good; of two at once one gets it. All others of the account are void then.
pub(crate) async fn redeem_reset(tx: &mut TenantTx, hash: &str) -> Result<Option<UserId>, TxError> {
    let sql = "UPDATE auth.password_resets r SET used_at = now() FROM auth.users u \
               WHERE r.token = $1 AND r.used_at IS NULL AND r.expires_at > now() \
                 AND u.id = r.user_id AND lower(u.email) = lower(r.email) AND u.is_active RETURNING r.user_id";
    let Some(row) = tx.query_opt(sql, &[&hash]).await? else { return Ok(None) };
    let user = UserId::new(row.get(0));
    let void = "UPDATE auth.password_resets SET expires_at = now() WHERE user_id = $1 AND used_at IS NULL AND expires_at > now()";
    tx.execute(void, &[&user.uuid()]).await?;
    Ok(Some(user))
}

/// As [`redeem_reset`], for an address.
pub(crate) async fn redeem_verification(tx: &mut TenantTx, hash: &str) -> Result<Option<UserId>, TxError> {
    let sql = "UPDATE auth.email_verifications v SET used_at = now() FROM auth.users u \
               WHERE v.token = $1 AND v.used_at IS NULL AND v.expires_at > now() \
                 AND u.id = v.user_id AND lower(u.email) = lower(v.email) AND u.is_active RETURNING v.user_id";
    Ok(tx.query_opt(sql, &[&hash]).await?.map(|row| UserId::new(row.get(0))))
}
