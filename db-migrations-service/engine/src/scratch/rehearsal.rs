//! The throwaway databases of rehearsals: claimed by a session as long as somebody works on them, and swept when nobody does.

use postgres_link::claims::{DatabaseClaims, drop_database};
use postgres_link::{AdminConn, ConnectOptions};
use uuid::Uuid;

use super::{create_statement, maintenance, refused, run};
use crate::error::{EngineError, ErrorCode};
use crate::target::quote::identifier;

/// What their names begin with; twelve hexadecimal digits follow.
const PREFIX: &str = "scratch_rehearsal_";
/// "reh" and a number.
const CLAIMS: DatabaseClaims = DatabaseClaims::of(0x7265_6801);

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
        // Where no copy of the service serves, nobody else does it.
        if let Err(error) = abandoned(&claimed.claim).await {
            tracing::debug!(%error, "databases of rehearsals could not be looked for");
        }
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
        run(&self.claim, &drop_database(&self.name)).await?;
        self.claim.close().await;
        Ok(())
    }

    async fn claim(server: &ConnectOptions) -> Result<Self, EngineError> {
        let name = format!("{PREFIX}{}", &Uuid::new_v4().simple().to_string()[..12]);
        let claim = maintenance(server).await?;
        CLAIMS.claim(&claim, &name).await.map_err(|error| refused(&error))?;
        Ok(Self { claim: Box::new(claim), name })
    }
}

/// Drops the databases of rehearsals on the server of `server` that nobody claims: their processes died. Returns how many.
///
/// # Errors
/// A server that does not answer, or refuses.
pub async fn sweep(server: &ConnectOptions) -> Result<usize, EngineError> {
    let session = maintenance(server).await?;
    let dropped = abandoned(&session).await?;
    session.close().await;
    Ok(dropped)
}

async fn abandoned(session: &AdminConn) -> Result<usize, EngineError> {
    let dropping = |name: &str| {
        tracing::warn!(database = name, "dropping the database of a rehearsal whose process is gone");
    };
    let swept = CLAIMS.sweep(session, &format!("datname ~ '^{PREFIX}[0-9a-f]{{12}}$'"), dropping).await;
    swept.map_err(|error| refused(&error))
}
