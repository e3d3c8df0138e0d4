//! What writers that died have left in the storage.

use time::OffsetDateTime;

use crate::error::VaultError;
use crate::manifest::BackupId;
use crate::vault::{MANIFEST, Vault};

/// What a sweep has removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Folders that never became a backup.
    pub folders: u64,
    /// Begun uploads and other temporaries.
    pub temporaries: u64,
}

impl Vault {
    /// Removes what killed writers left behind: begun uploads, and folders without a manifest, where nothing in them was written
    /// since `before` (by the storage's clock). Folders that `is_made` knows are spared: somebody is at work on them.
    ///
    /// # Errors
    /// A storage that cannot be read, or refuses.
    pub async fn sweep(
        &self,
        before: OffsetDateTime,
        is_made: impl Fn(&BackupId) -> bool,
    ) -> Result<Swept, VaultError> {
        let mut swept = Swept { folders: 0, temporaries: self.storage().sweep(before).await? };
        for folder in self.storage().folders().await? {
            let Ok(id) = folder.parse::<BackupId>() else { continue };
            let objects = self.storage().list(&folder).await?;
            let has_manifest = objects.iter().any(|object| object.path == format!("{folder}/{MANIFEST}"));
            let is_old = !objects.is_empty() && objects.iter().all(|object| object.modified < before);
            if !has_manifest && is_old && !is_made(&id) {
                self.storage().delete(&folder).await?;
                swept.folders += 1;
            }
        }
        Ok(swept)
    }
}
