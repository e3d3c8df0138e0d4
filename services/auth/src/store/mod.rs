//! Rows of schema auth, and what schema users publishes. Functions on a transaction; none of them knows HTTP.

pub(crate) mod accounts;
pub(crate) mod errands;
pub(crate) mod events;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod links;
pub(crate) mod people;
pub(crate) mod sessions;
pub(crate) mod sign_in;

use postgres_link::tenant::{TenantTx, TxError};

/// Removes what is over. How many rows.
pub(crate) async fn sweep(mut tx: TenantTx) -> Result<u64, TxError> {
    // Of a session no token lives a month after its end.
    let mut rows = tx.execute("DELETE FROM auth.sessions WHERE expires_at < now() - interval '30 days'", &[]).await?;
    for sql in [
        "DELETE FROM auth.sessions WHERE ended_at < now() - interval '30 days'",
        "DELETE FROM auth.password_resets WHERE expires_at < now() - interval '30 days'",
        "DELETE FROM auth.email_verifications WHERE expires_at < now() - interval '30 days'",
        "DELETE FROM auth.sign_in_events WHERE created_at < now() - interval '180 days'",
        "DELETE FROM auth.signing_keys WHERE published_until < now() - interval '30 days'",
        "DELETE FROM auth.limits WHERE full_until < now()",
    ] {
        rows += tx.execute(sql, &[]).await?;
    }
    tx.commit().await?;
    Ok(rows)
}
