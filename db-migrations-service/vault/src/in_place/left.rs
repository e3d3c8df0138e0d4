//! Schemas that restores have left in a live database whose processes died.

use postgres_link::AdminConn;

use super::names;
use super::{InPlace, Live};
use crate::error::VaultError;
use crate::restore::own;

/// How long what nobody waits for stands in the way of others, milliseconds.
const PATIENCE_MS: u32 = 500;

/// Drops what restores have left in a live database whose processes died, and what watched others' tables for them. Stands aside for
/// a migration and for a restore that is under way: then nothing is done.
///
/// # Errors
/// A database that does not answer, or refuses; somebody who uses what is to be dropped. What is left then goes the next time.
pub async fn sweep_schemas(target: &InPlace) -> Result<(), VaultError> {
    let session = postgres_link::connect(&target.live).await?;
    let found = left(&session).await;
    session.close().await;
    if found?.is_empty() {
        return Ok(());
    }
    let live = match Live::open(target).await {
        Err(VaultError::Busy) => return Ok(()),
        opened => opened?,
    };
    let swept = drop_left(&live.conn, target).await;
    live.conn.close().await;
    swept
}

async fn drop_left(live: &AdminConn, target: &InPlace) -> Result<(), VaultError> {
    live.batch(&format!("SET lock_timeout = {PATIENCE_MS}")).await.map_err(own("setting how long to wait"))?;
    let (schemas, database) = (left(live).await?, target.live.database());
    tracing::warn!(database, ?schemas, "dropping schemas that a restore left behind whose process is gone");
    names::drop_all(live, &schemas).await
}

async fn left(session: &AdminConn) -> Result<Vec<String>, VaultError> {
    names::left(session).await.map_err(own("looking for schemas that a restore has left"))
}
