//! The throwaway databases of rehearsals: claimed by a session as long as somebody works on them, and swept when nobody does.

use postgres_link::{AdminConn, ConnectOptions};
use uuid::Uuid;

use super::{create_statement, maintenance, run};
use crate::error::{EngineError, ErrorCode};
use crate::target::quote::{identifier, literal};

/// What their names begin with; twelve hexadecimal digits follow.
const PREFIX: &str = "scratch_rehearsal_";
/// "reh" and a number: the first half of a claim's number; the other is of the name.
const CLAIM: i32 = 0x7265_6801;

/// A database that is somebody's. The session that says so also makes and drops it.
pub(crate) struct Rehearsal {
    /// Boxed: whoever rehearses holds several of these across what they wait for.
    claim: Box<AdminConn>,
    name: String,
}

impl Rehearsal {
    /// An empty one on the server of `server`.
    pub(crate) async fn empty(server: &ConnectOptions) -> Result<Self, EngineError> {
        let claimed = Self::claim(server).await?;
        let created = run(&claimed.claim, &format!("CREATE DATABASE {}", identifier(&claimed.name))).await;
        match created {
            Err(error) if error.code == ErrorCode::InsufficientPrivilege => Err(error.cure(format!(
                "as a superuser run: ALTER ROLE {} CREATEDB; without it there is no rehearsal, and the other gates remain",
                identifier(server.user())
            ))),
            other => other.map(|_| claimed),
        }
    }

    /// Another one that is the same; nobody may be on this one meanwhile.
    pub(crate) async fn copy(&self, server: &ConnectOptions) -> Result<Self, EngineError> {
        let claimed = Self::claim(server).await?;
        run(&claimed.claim, &create_statement(&claimed.claim, &claimed.name, &self.name)).await?;
        Ok(claimed)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Drops it, whoever is connected.
    pub(crate) async fn drop(self) -> Result<(), EngineError> {
        run(&self.claim, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(&self.name))).await?;
        self.claim.close().await;
        Ok(())
    }

    async fn claim(server: &ConnectOptions) -> Result<Self, EngineError> {
        let name = format!("{PREFIX}{}", &Uuid::new_v4().simple().to_string()[..12]);
        let claim = maintenance(server).await?;
        // It is idle as long as the rehearsal takes.
        let lock = format!("SET idle_session_timeout = 0; SELECT pg_advisory_lock({})", number(&name));
        run(&claim, &lock).await?;
        Ok(Self { claim: Box::new(claim), name })
    }
}

/// Drops the databases of rehearsals on the server of `server` that nobody claims: their processes died. Returns how many.
///
/// # Errors
/// A server that does not answer, or refuses.
pub async fn sweep(server: &ConnectOptions) -> Result<usize, EngineError> {
    let session = maintenance(server).await?;
    // The right to drop it is the owner's; others' are others' to sweep.
    let query = format!(
        "SELECT datname FROM pg_database WHERE datname ~ '^{PREFIX}[0-9a-f]{{12}}$' AND pg_has_role(datdba, 'USAGE') ORDER BY 1"
    );
    let found = run(&session, &query).await?;
    let mut dropped = 0;
    for name in found.rows().filter_map(|row| row.first().cloned().flatten()) {
        let free = run(&session, &format!("SELECT pg_try_advisory_lock({})", number(&name))).await?;
        if free.value(0, 0) == Some("t") {
            tracing::warn!(database = name, "dropping the database of a rehearsal whose process is gone");
            run(&session, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(&name))).await?;
            run(&session, &format!("SELECT pg_advisory_unlock({})", number(&name))).await?;
            dropped += 1;
        }
    }
    session.close().await;
    Ok(dropped)
}

fn number(name: &str) -> String {
    format!("{CLAIM}, hashtext({})", literal(name))
}
