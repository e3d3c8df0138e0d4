//! Databases that are there while a backup is restored: what they are called, whose they are, and what becomes of those whose process died.
//!
//! Each has a name of its own and is claimed by an advisory lock, held by a session of whoever works on it. One that nobody claims was
//! left behind.

use postgres_link::claims::DatabaseClaims;
use postgres_link::quote::literal;
use postgres_link::{AdminConn, ConnectOptions};

use crate::error::VaultError;
use crate::manifest::BackupId;
use crate::restore::{maintenance, own};

/// What the names of databases begin with that will be given another name when all is there.
pub(crate) const RESTORING: &str = "profe_restoring_";
/// In which backups are verified.
pub(crate) const VERIFYING: &str = "profe_verifying_";
/// On whose rows migrations are rehearsed.
pub(crate) const REHEARSING: &str = "profe_rehearsing_";
/// In which an in-place restore is prepared.
pub(crate) const BESIDE: &str = "profe_beside_";

/// "prof" in ASCII.
const CLAIMS: DatabaseClaims = DatabaseClaims::of(0x7072_6F66);

/// PostgreSQL's names are not longer, bytes.
const LONGEST: usize = 63;

/// A name that no other restore has.
pub(crate) fn name(prefix: &str, id: &BackupId) -> Result<String, VaultError> {
    let lot = format!("_{:08x}", BackupId::lot()?);
    let mut name = format!("{prefix}{}", id.as_str().replace('-', "_"));
    name.truncate(LONGEST - lot.len());
    Ok(name + &lot)
}

/// Says that `name` is worked on, until the session ends. The session must be one on the database `postgres`, as all claims are.
pub(crate) async fn claim(session: AdminConn, name: &str) -> Result<AdminConn, VaultError> {
    CLAIMS.claim(&session, name).await.map_err(own("claiming the database to restore into"))?;
    Ok(session)
}

/// Drops the databases on the server of `server` that restores and verifications left behind whose processes died.
///
/// # Errors
/// A server that does not answer, or refuses.
pub async fn sweep_databases(server: &ConnectOptions) -> Result<(), VaultError> {
    let session = maintenance(server).await?;
    let swept = sweep(&session).await;
    session.close().await;
    swept
}

/// Drops those that nobody claims.
pub(crate) async fn sweep(session: &AdminConn) -> Result<(), VaultError> {
    let prefixes = [RESTORING, VERIFYING, REHEARSING, BESIDE];
    let condition = prefixes.map(|prefix| format!("starts_with(datname, {})", literal(prefix))).join(" OR ");
    let dropping = |name: &str| {
        tracing::warn!(database = name, "dropping a database that a restore left behind whose process is gone");
    };
    let swept = CLAIMS.sweep(session, &condition, dropping).await;
    swept.map(drop).map_err(own("dropping what an earlier attempt left"))
}
