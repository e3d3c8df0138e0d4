//! What a worker has to do.

use std::time::Duration;

use postgres_link::tenant::{TenantTx, TxError};
use serde_json::Value;
use uuid::Uuid;

/// Something to do.
#[derive(Debug)]
pub(crate) struct Errand {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) details: Value,
    /// This time included.
    pub(crate) attempts: i32,
    pub(crate) age_s: f64,
}

const ADD: &str = "INSERT INTO auth.errands (kind, details) VALUES ($1, $2)";

/// Adds one.
pub(crate) async fn add(tx: &mut TenantTx, kind: &str, details: &Value) -> Result<(), TxError> {
    tx.execute(ADD, &[&kind, details]).await.map(drop)
}

/// As [`add`], as the last thing of a transaction.
pub(crate) async fn add_last(tx: TenantTx, kind: &str, details: &Value) -> Result<(), TxError> {
    tx.last().execute(ADD, &[&kind, details]).await.map(drop)
}

/// Takes the one that is due longest, and keeps it from others for `lease`: who dies over it lets go.
pub(crate) async fn take(tx: TenantTx, lease: Duration) -> Result<Option<Errand>, TxError> {
    let sql = "UPDATE auth.errands SET due_at = now() + make_interval(secs => $1), attempts = attempts + 1 \
               WHERE id = (SELECT id FROM auth.errands WHERE due_at <= now() ORDER BY due_at FOR UPDATE SKIP LOCKED LIMIT 1) \
               RETURNING id, kind, details, attempts, extract(epoch FROM now() - created_at)::float8 AS age_s";
    let taken = tx.last().query_opt(sql, &[&lease.as_secs_f64()]).await?;
    Ok(taken.map(|row| Errand {
        id: row.get("id"),
        kind: row.get("kind"),
        details: row.get("details"),
        attempts: row.get("attempts"),
        age_s: row.get("age_s"),
    }))
}

/// It is done, or never will be.
pub(crate) async fn remove(tx: TenantTx, id: Uuid) -> Result<(), TxError> {
    tx.last().execute("DELETE FROM auth.errands WHERE id = $1", &[&id]).await.map(drop)
}

/// It has become another one, due at once.
pub(crate) async fn become_another(tx: &mut TenantTx, id: Uuid, kind: &str, details: &Value) -> Result<(), TxError> {
    let sql = "UPDATE auth.errands SET kind = $2, details = $3, due_at = now(), attempts = 0 WHERE id = $1";
    tx.execute(sql, &[&id, &kind, details]).await.map(drop)
}

/// It failed, and is tried again after `pause`.
pub(crate) async fn put_off(tx: TenantTx, id: Uuid, pause: Duration, error: &str) -> Result<(), TxError> {
    let sql = "UPDATE auth.errands SET due_at = now() + make_interval(secs => $2), last_error = $3 WHERE id = $1";
    tx.last().execute(sql, &[&id, &pause.as_secs_f64(), &error]).await.map(drop)
}
