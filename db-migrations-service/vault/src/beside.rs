//! Databases that are there while a backup is restored: what they are called, whose they are, and what becomes of those whose process died.
//!
//! Each has a name of its own and is claimed by an advisory lock, held by a session of whoever works on it. One that nobody claims was
//! left behind.

use postgres_link::quote::{identifier, literal};
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

/// "prof" in ASCII: the first half of the claims' number; the other is of the name.
const CLAIM: i32 = 0x7072_6F66;

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
    // It is idle as long as the restore takes.
    let claim = format!("SET idle_session_timeout = 0; SELECT pg_advisory_lock({CLAIM}, hashtext({}))", literal(name));
    session.batch(&claim).await.map_err(own("claiming the database to restore into"))?;
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
    let own = own("dropping what an earlier attempt left");
    let prefixes = [RESTORING, VERIFYING, REHEARSING, BESIDE];
    let prefixes = prefixes.map(|prefix| format!("starts_with(datname, {})", literal(prefix)));
    // The right to drop it is the owner's; others' are others' to sweep.
    let query = format!(
        "SELECT datname FROM pg_database WHERE ({}) AND pg_has_role(datdba, 'USAGE') ORDER BY 1",
        prefixes.join(" OR ")
    );
    let found = session.batch(&query).await.map_err(&own)?;
    for name in found.rows().filter_map(|row| row.first().cloned().flatten()) {
        let number = format!("({CLAIM}, hashtext({}))", literal(&name));
        let free = session.batch(&format!("SELECT pg_try_advisory_lock{number}")).await.map_err(&own)?;
        if free.value(0, 0) == Some("t") {
            tracing::warn!(database = name, "dropping a database that a restore left behind whose process is gone");
            session.batch(&drop_statement(&name)).await.map_err(&own)?;
            session.batch(&format!("SELECT pg_advisory_unlock{number}")).await.map_err(&own)?;
        }
    }
    Ok(())
}

pub(crate) fn drop_statement(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(name))
}
