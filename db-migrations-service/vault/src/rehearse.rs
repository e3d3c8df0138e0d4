//! A backup's rows in a database of their own, for whoever wants to try something out on them.

use std::sync::Arc;

use postgres_link::ConnectOptions;
use postgres_link::quote::{identifier, literal};
use tokio_util::sync::CancellationToken;

use crate::beside;
use crate::error::VaultError;
use crate::make::unless;
use crate::manifest::{BackupId, Manifest};
use crate::restore::{Side, own};
use crate::roles;
use crate::stream::Progress;
use crate::vault::Vault;

/// A database with the rows of a backup. Whoever has one strikes it, whatever came of the trial; where its process dies before
/// that, the next restore on the server does.
pub struct Rehearsal<'a> {
    side: Side<'a>,
}

impl Vault {
    /// Restores a backup into a database of its own on the server of `server`. Nothing else of the server changes: the roles must
    /// be there. Nobody but its owner and superusers may connect to it.
    ///
    /// # Errors
    /// Whatever stops it; then there is no such database.
    pub async fn restore_for_rehearsal(
        &self,
        id: &BackupId,
        server: &ConnectOptions,
        progress: &Arc<Progress>,
        cancel: &CancellationToken,
    ) -> Result<Rehearsal<'_>, VaultError> {
        let manifest = self.manifest(id).await?;
        let side = Box::pin(Side::create(self, manifest, server, beside::REHEARSING, cancel)).await?;
        let restored = async {
            let part = side.roles(progress).await?;
            let roles =
                roles::names(&part).map_err(|error| side.damaged(format!("its roles cannot be read: {error}")))?;
            close_to_others(&side, &roles).await?;
            side.fill(progress, cancel).await?;
            // What leads out of the backup was checked where it comes from.
            self.mark_outside_keys(&side, true).await
        };
        match Box::pin(unless(cancel, restored)).await {
            Ok(()) => Ok(Rehearsal { side }),
            Err(error) => {
                side.strike().await;
                Err(error)
            }
        }
    }
}

impl Rehearsal<'_> {
    /// The database's name.
    pub fn database(&self) -> &str {
        &self.side.name
    }

    /// What the backup says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.side.manifest
    }

    /// Drops it, whoever is connected.
    pub async fn strike(self) {
        self.side.strike().await;
    }
}

/// Everybody may connect to a new database; this one will hold rows. Refuses where one of `roles` is not there.
async fn close_to_others(side: &Side<'_>, roles: &[String]) -> Result<(), VaultError> {
    let conn = postgres_link::connect(&side.connect()).await?;
    let close = format!("REVOKE CONNECT ON DATABASE {} FROM PUBLIC", identifier(&side.name));
    conn.batch(&close).await.map_err(own("closing the database to others"))?;
    let names: Vec<String> = roles.iter().map(|role| literal(role)).collect();
    let query = format!(
        "SELECT name FROM unnest(ARRAY[{}]::text[]) name WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) ORDER BY 1",
        names.join(", ")
    );
    let found = conn.batch(&query).await.map_err(own("looking for the backup's roles"))?;
    let missing: Vec<String> = found.rows().filter_map(|row| row.first().cloned().flatten()).collect();
    conn.close().await;
    if missing.is_empty() {
        return Ok(());
    }
    Err(VaultError::MissingRoles { id: side.manifest.id.clone(), roles: missing })
}
