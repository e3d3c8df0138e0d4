//! Buckets of attempts.

use postgres_link::tenant::{TenantTx, TxError};

use crate::rules::limits::Limit;

/// Takes one from a bucket, in a transaction of its own. Seconds until there is one again, where it was empty.
pub(crate) async fn admit(tx: TenantTx, limit: &Limit, bucket: &str) -> Result<Option<f64>, TxError> {
    let row = tx.last().query_one("SELECT auth.admit($1, $2, $3)", &[&bucket, &limit.burst, &limit.every_s]).await?;
    Ok(row.get(0))
}

/// As [`admit`], within a transaction.
pub(crate) async fn admit_in(tx: &mut TenantTx, limit: &Limit, bucket: &str) -> Result<Option<f64>, TxError> {
    let row = tx.query_one("SELECT auth.admit($1, $2, $3)", &[&bucket, &limit.burst, &limit.every_s]).await?;
    Ok(row.get(0))
}

/// Puts one back.
pub(crate) async fn give_back(tx: &mut TenantTx, limit: &Limit, bucket: &str) -> Result<(), TxError> {
    tx.execute("SELECT auth.give_back($1, $2)", &[&bucket, &limit.every_s]).await.map(drop)
}
