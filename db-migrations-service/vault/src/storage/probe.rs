//! Whether a storage can be used at all.

use bytes::Bytes;
use object_store::{ObjectStoreExt, PutPayload};
use time::OffsetDateTime;

use super::error::instant;
use super::sweep::probe_at;
use super::{Storage, StorageError};

impl Storage {
    /// Writes, reads, lists and deletes a small object, as backups will. An error is what stands in the way first, and
    /// what to do about it.
    pub async fn probe(&self) -> Result<(), StorageError> {
        let unique = uuid::Uuid::now_v7().to_string();
        let target = probe_at(&self.path(&unique));
        let content = Bytes::from(unique);
        let doing = |action| self.doing(action, "a probe");
        let (write, read, list) = (doing("write"), doing("read"), self.doing("list", ""));

        let store = &self.0.store;
        store.put(&target, PutPayload::from(content.clone())).await.map_err(|error| write.store(&error))?;
        let found = match store.get(&target).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        let listed = store.list_with_delimiter(self.below("").as_ref()).await;
        // Deleted whatever the reading has shown.
        let deleted = self.remove(&target, &doing("delete")).await;
        if found.map_err(|error| read.store(&error))? != content {
            return Err(read.damaged("what was read back is not what was written"));
        }
        listed.map_err(|error| list.store(&error))?;
        deleted
    }

    /// What time it is by the storage's own clock, which is not that of whoever asks: it stamps objects with it. For what is told
    /// old from young by when it was written.
    ///
    /// # Errors
    /// Nothing can be written there, or read.
    pub async fn now(&self) -> Result<OffsetDateTime, StorageError> {
        let unique = uuid::Uuid::now_v7().to_string();
        let target = probe_at(&self.path(&unique));
        let doing = |action| self.doing(action, "a probe");
        let (write, read, delete) = (doing("write"), doing("read"), doing("delete"));
        let store = &self.0.store;
        store.put(&target, PutPayload::from(Bytes::from(unique))).await.map_err(|error| write.store(&error))?;
        let found = store.head(&target).await;
        self.remove(&target, &delete).await?;
        found.map(|meta| instant(&meta)).map_err(|error| read.store(&error))
    }
}
