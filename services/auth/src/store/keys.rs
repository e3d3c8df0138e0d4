//! Signing keys.

use postgres_link::tenant::{Row, TenantTx, TxError};
use time::OffsetDateTime;

use crate::model::KeptKey;

const PUBLISHED: &str = "\
    SELECT key_id, sealed, signs_from, now() AS moment
    FROM (SELECT) AS nothing LEFT JOIN auth.signing_keys ON published_until IS NULL OR published_until > now()
    ORDER BY signs_from";

/// Those that are published, and what time it is for the database.
pub(crate) async fn published(tx: TenantTx) -> Result<(Vec<KeptKey>, OffsetDateTime), TxError> {
    Ok(read(&tx.last().query(PUBLISHED, &[]).await?))
}

/// As [`published`], within a transaction.
pub(crate) async fn published_in(tx: &mut TenantTx) -> Result<(Vec<KeptKey>, OffsetDateTime), TxError> {
    Ok(read(&tx.query(PUBLISHED, &[]).await?))
}

fn read(rows: &[Row]) -> (Vec<KeptKey>, OffsetDateTime) {
    let moment = rows.first().map_or(OffsetDateTime::UNIX_EPOCH, |row| row.get("moment"));
    let key = |row: &Row| {
        let id: Option<String> = row.get("key_id");
        id.map(|id| KeptKey { id, sealed: row.get("sealed"), signs_from: row.get("signs_from") })
    };
    (rows.iter().filter_map(key).collect(), moment)
}

/// Of all copies one at a time makes keys.
pub(crate) async fn lock(tx: &mut TenantTx) -> Result<(), TxError> {
    tx.execute("SELECT pg_advisory_xact_lock(hashtext('auth.signing_keys'))", &[]).await.map(drop)
}

/// Adds a key; those before it are published until then and no longer.
pub(crate) async fn succeed(
    tx: &mut TenantTx,
    id: &str,
    sealed: &[u8],
    signs_from: OffsetDateTime,
    others_until: OffsetDateTime,
) -> Result<(), TxError> {
    tx.execute("UPDATE auth.signing_keys SET published_until = $1 WHERE published_until IS NULL", &[&others_until])
        .await?;
    let sql = "INSERT INTO auth.signing_keys (key_id, sealed, signs_from) VALUES ($1, $2, $3)";
    tx.execute(sql, &[&id, &sealed, &signs_from]).await.map(drop)
}
