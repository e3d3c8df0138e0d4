//! A place for backups, with the keys to them.

use std::num::NonZero;
use std::sync::Arc;

use serde::Serialize;
use time::OffsetDateTime;

use crate::error::VaultError;
use crate::keys::Keys;
use crate::manifest::{BackupId, Manifest};
use crate::storage::{Storage, StorageError};

/// The object that makes a folder a backup.
pub(crate) const MANIFEST: &str = "manifest.json";

/// A manifest is not longer: a hundred thousand tables.
const LONGEST_MANIFEST: usize = 64 << 20;

/// Looks variables of the environment up.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What time it is.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Makes, lists, verifies, restores and deletes the backups of one storage.
#[derive(Clone)]
pub struct Vault {
    storage: Storage,
    keys: Keys,
    jobs: usize,
    variables: Variables,
    clock: Clock,
}

/// A folder of the storage that looks like a backup.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Its name.
    pub id: BackupId,
    /// What it says of itself, or why that is not believed.
    pub manifest: Result<Manifest, String>,
}

impl Vault {
    /// `variables` looks variables of the environment up, for where PostgreSQL's programs are. Time is this machine's.
    pub fn new(storage: Storage, keys: Keys, variables: Variables) -> Self {
        let jobs = std::thread::available_parallelism().map_or(1, NonZero::get).clamp(1, 3);
        Self { storage, keys, jobs, variables, clock: Arc::new(OffsetDateTime::now_utc) }
    }

    /// The same by another clock: backups and verifications are stamped with what it says.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// What time it is, by its clock.
    pub fn now(&self) -> OffsetDateTime {
        (self.clock)()
    }

    /// Where the backups lie.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// How many parts are made or restored at the same time: as many as there are processors, three at most, since each takes some
    /// 30 MiB.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs
    }

    pub(crate) fn variables(&self) -> impl Fn(&str) -> Option<String> + use<> {
        let variables = Arc::clone(&self.variables);
        move |name| variables(name)
    }

    /// All backups, the newest first. A folder without a manifest is none; one whose manifest is not believed is listed with why.
    ///
    /// # Errors
    /// A storage that cannot be read.
    pub async fn list(&self) -> Result<Vec<Listed>, VaultError> {
        let mut found = Vec::new();
        for folder in self.storage.folders().await?.into_iter().rev() {
            let Ok(id) = folder.parse::<BackupId>() else { continue };
            match self.manifest(&id).await {
                Ok(manifest) => found.push(Listed { id, manifest: Ok(manifest) }),
                Err(VaultError::Unknown(_)) => {}
                Err(VaultError::Manifest { source, .. }) => {
                    found.push(Listed { id, manifest: Err(source.to_string()) });
                }
                // Too large to be one.
                Err(error @ VaultError::Storage(StorageError::Damaged { .. })) => {
                    found.push(Listed { id, manifest: Err(error.to_string()) });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// What one backup says of itself.
    ///
    /// # Errors
    /// There is none of this name, its manifest is not believed, the storage cannot be read.
    pub async fn manifest(&self, id: &BackupId) -> Result<Manifest, VaultError> {
        let json = self.storage.read_small(&format!("{id}/{MANIFEST}"), LONGEST_MANIFEST).await?;
        let json = json.ok_or_else(|| VaultError::Unknown(id.clone()))?;
        Manifest::read(&json, id).map_err(|source| VaultError::Manifest { id: id.clone(), source })
    }

    /// Deletes a backup: its manifest first, so that nothing half is ever listed.
    ///
    /// # Errors
    /// There is none of this name, the storage refuses.
    pub async fn delete(&self, id: &BackupId) -> Result<(), VaultError> {
        let manifest = format!("{id}/{MANIFEST}");
        if self.storage.list(id.as_str()).await?.iter().all(|object| object.path != manifest) {
            return Err(VaultError::Unknown(id.clone()));
        }
        Ok(self.take_away(id).await?)
    }

    /// What there is of a backup, its manifest first: whatever stops it, nothing is listed that is no longer whole.
    pub(crate) async fn take_away(&self, id: &BackupId) -> Result<(), StorageError> {
        self.storage.delete(&format!("{id}/{MANIFEST}")).await?;
        self.storage.delete(id.as_str()).await
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault")
            .field("storage", &self.storage.shown())
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
