//! Bringing schemas of a live database back to what a backup has of them.
//!
//! The backup is restored and verified in a database beside, whose schemas then get other names; under those they are copied into the
//! live database, where nobody sees them. One short transaction swaps the names. What is bound by object follows the new names
//! back; what is bound by text has named the schemas rightly all along.

mod audit;
mod copy;
mod dependents;
mod history;
mod left;
mod live;
mod names;
mod swap;
mod watch;

use std::sync::Arc;

use postgres_link::quote::identifier;
use tokio_util::sync::CancellationToken;

pub(crate) use self::audit::told;
pub(crate) use self::copy::copy;
use self::dependents::Binding;
pub use self::left::sweep_schemas;
pub use self::live::InPlace;
pub(crate) use self::live::Live;
use self::names::Names;
pub(crate) use self::names::{beside, sweep, with_suffix};
use crate::beside::BESIDE;
use crate::error::VaultError;
use crate::make::unless;
use crate::manifest::{BackupId, HISTORY_SCHEMA, Manifest};
use crate::restore::{Side, own, suits};
use crate::stage::Stage;
use crate::stream::Progress;
use crate::vault::Vault;

/// What came of an in-place restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swapped {
    /// The backup.
    pub id: BackupId,
    /// The schemas that are as it has them.
    pub schemas: Vec<String>,
    /// Foreign keys, policies and triggers of other schemas that are bound to what was restored now.
    pub bindings: usize,
    /// Foreign keys among them that hold, but that PostgreSQL could not be made to say so: they stand `NOT VALID`.
    pub unvalidated: Vec<String>,
}

/// An in-place restore that nothing speaks against, and that has not begun. As long as it is there no migration runs on the live
/// database, and no other restore.
pub struct InPlaceRestore {
    vault: Vault,
    manifest: Manifest,
    target: InPlace,
    live: Live,
    names: Names,
}

impl Vault {
    /// Prepares to make the backup's schemas in the live database what they were: takes the locks, and looks for what speaks
    /// against it.
    ///
    /// # Errors
    /// There is no such backup, it cannot be restored in place or not here, a migration or another restore is running.
    pub async fn begin_in_place(&self, id: &BackupId, target: InPlace) -> Result<InPlaceRestore, VaultError> {
        let manifest = self.manifest(id).await?;
        fits(&manifest)?;
        let live = Live::open(&target).await?;
        suits(self, &manifest, live.conn.server_version_num())?;
        let names = Names::of(&manifest, &schemas(&manifest));
        dependents::refuse(&live.conn, &names, id).await?;
        Ok(InPlaceRestore { vault: self.clone(), manifest, target, live, names })
    }

    /// Makes the backup's schemas in the live database what they were. Nobody sees anything of it before all of it is there.
    ///
    /// A backup of the state before is for the caller to make.
    ///
    /// # Errors
    /// Whatever stops it, and what would break by it, by name; the live schemas are as they were then.
    pub async fn restore_in_place(
        &self,
        id: &BackupId,
        target: &InPlace,
        progress: &Arc<Progress>,
        cancel: &CancellationToken,
    ) -> Result<Swapped, VaultError> {
        self.begin_in_place(id, target.clone()).await?.finish(progress, cancel).await
    }
}

impl InPlaceRestore {
    /// The schemas that will be as the backup has them.
    pub fn schemas(&self) -> &[String] {
        &self.names.live
    }

    /// Does it. Cancelling it is heard until the names change hands, which is quick.
    ///
    /// # Errors
    /// Whatever stops it, and what would break by it, by name; the live schemas are as they were then.
    pub async fn finish(mut self, progress: &Arc<Progress>, cancel: &CancellationToken) -> Result<Swapped, VaultError> {
        let vault = self.vault.clone();
        let side = Side::create(&vault, self.manifest.clone(), &self.target.live, BESIDE, cancel);
        let side = Box::pin(side).await?;
        let staged = Box::pin(unless(cancel, self.stage(&side, progress, cancel))).await;
        let swapped = match staged {
            // From here on it is the server that decides, and an answer is waited for.
            Ok((rows, watched)) => Box::pin(self.swap(&rows, &watched)).await,
            Err(error) => Err(error),
        };
        side.strike().await;
        // The schemas that were swapped out, or those that were not swapped in and what watched over them.
        if let Err(error) = sweep(&self.live.conn).await {
            let backup = &self.manifest.id;
            tracing::warn!(%backup, %error, "schemas that nobody needs any more could not be dropped; the next restore does it");
        }
        self.live.conn.close().await;
        swapped
    }

    /// Brings the schemas into the live database under other names. Answers the statements that bring its history in line, and
    /// the keys of others that hold on what was restored.
    async fn stage(
        &self,
        side: &Side<'_>,
        progress: &Arc<Progress>,
        cancel: &CancellationToken,
    ) -> Result<(Vec<String>, Vec<Binding>), VaultError> {
        let (live, names, stages) = (&self.live, &self.names, &self.target.stages);
        stages.enter(Stage::Restoring);
        sweep(&live.conn).await?;
        side.load(progress, cancel).await?;
        stages.enter(Stage::Comparing);
        let findings = self.vault.compare(side, progress, cancel).await?;
        if !findings.is_empty() {
            return Err(side.damaged(findings.join("; ")));
        }
        stages.enter(Stage::Copying);
        // Whether they hold among the live tables is asked there.
        self.vault.mark_outside_keys(side, false).await?;
        let beside = postgres_link::connect(&side.connect()).await?;
        for (schema, staged) in names.pairs() {
            let rename = format!("ALTER SCHEMA {} RENAME TO {}", identifier(schema), identifier(staged));
            beside.batch(&rename).await.map_err(own("naming the schemas to be copied"))?;
        }
        copy(&self.vault, side, &live.connect, (&names.staged, &[]), progress, cancel).await?;
        let rows = history::read(&beside, names, &self.manifest.id).await?;
        beside.close().await;
        self.validate().await?;
        let watched = self.watch().await?;
        Ok((rows, watched))
    }
}

/// The schemas with rows in it. The migration history is brought back row by row.
fn schemas(manifest: &Manifest) -> Vec<String> {
    let own =
        |name: &String| !name.is_empty() && name != HISTORY_SCHEMA && name != "public" && manifest.scope.has(name);
    manifest.schemas.keys().filter(|name| own(name)).cloned().collect()
}

/// Rows that lie in no schema of its own cannot be swapped.
fn fits(manifest: &Manifest) -> Result<(), VaultError> {
    let schemas = schemas(manifest);
    let elsewhere = manifest.tables.iter().find(|table| {
        table.figures.rows > 0 && table.name.schema != HISTORY_SCHEMA && !schemas.contains(&table.name.schema)
    });
    elsewhere
        .map_or(Ok(()), |table| Err(VaultError::NotInPlace { id: manifest.id.clone(), what: table.name.to_string() }))
}
