//! Where backups lie: objects below a URL, in a folder or in an object store.
//!
//! What this promises beyond what the stores do by themselves:
//! - an object is there whole or not at all, and was read back and compared before its writer hears of success;
//! - what a writer leaves behind is a *temporary*: never listed, and removed by [`Storage::sweep`];
//! - memory is bounded whatever the size ([`Upload`], [`Reading`]);
//! - every wait is bounded ([`Patience`]), and every error is one sentence without a secret in it.
//!
//! It does not know what the objects mean, and keeps nobody from writing the same name twice at the same time.

mod connect;
mod error;
mod folder;
mod marked;
mod name;
mod patience;
mod probe;
mod reading;
mod sweep;
mod upload;
mod url;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use time::OffsetDateTime;

pub use error::StorageError;
pub use patience::Patience;
pub use reading::Reading;
pub use upload::{Stored, Upload};
pub use url::folder_of;

use error::Doing;

/// A place for objects. Clones are cheap and share their connections.
#[derive(Clone)]
pub struct Storage(Arc<Inner>);

struct Inner {
    shown: String,
    /// What all names are below of.
    root: Path,
    store: Arc<dyn ObjectStore>,
    /// The same place, without retries of its own: for what must not be sent twice unnoticed.
    once: Arc<dyn ObjectStore>,
    place: Place,
    patience: Patience,
}

enum Place {
    /// The folder, with all links resolved.
    Folder(PathBuf),
    Remote(Arc<dyn MultipartStore>),
}

/// An object that is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its name below the storage's URL.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// When it was written, by the storage's clock.
    pub modified: OffsetDateTime,
}

impl Storage {
    /// Opens the place that a URL names: a path or `file://` (created, for its owner only, where it is missing),
    /// `s3://bucket/prefix?endpoint=…&region=…&path_style=…`, `gs://bucket/prefix` or `az://container/prefix`.
    /// Credentials come from the providers' usual variables (`AWS_ACCESS_KEY_ID` and so on), asked of `variable`,
    /// never from the URL. A remote place is not asked anything yet; see [`Storage::probe`].
    pub fn open(url: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, StorageError> {
        Self::open_with(url, variable, Patience::default())
    }

    /// [`Storage::open`], with limits of one's own.
    pub fn open_with(
        url: &str,
        variable: &dyn Fn(&str) -> Option<String>,
        patience: Patience,
    ) -> Result<Self, StorageError> {
        connect::connect(url, variable, patience).map(|inner| Self(Arc::new(inner)))
    }

    /// The URL, for people. It holds no secret: URLs that would are refused.
    pub fn shown(&self) -> &str {
        &self.0.shown
    }

    /// Begins an object of any size under a name that is new. Nothing is visible before [`Upload::finish`].
    pub fn upload(&self, path: &str) -> Result<Upload, StorageError> {
        Ok(Upload::new(self.clone(), name::checked(path)?.to_owned()))
    }

    /// Writes a small object that must be new, in one request, and reads it back.
    ///
    /// # Errors
    /// [`StorageError::AlreadyExists`] where the name is taken, also by another writer at the same moment.
    pub async fn put_new(&self, path: &str, content: Bytes) -> Result<(), StorageError> {
        let doing = self.doing("write", name::checked(path)?);
        let target = self.path(path);
        folder::prepare(&self.0.place, path).await.map_err(|error| doing.io(&error))?;
        let mut attempt = 0;
        loop {
            let options = PutMode::Create.into();
            let outcome = self.0.once.put_opts(&target, PutPayload::from(content.clone()), options).await;
            let error = match outcome {
                Ok(_) => break,
                Err(error) => doing.store(&error),
            };
            // The answer to an earlier attempt may have been lost after the object was written: then it is ours.
            let taken = matches!(error, StorageError::AlreadyExists { .. });
            if taken && attempt > 0 && self.holds(path, &content).await? {
                return Ok(());
            }
            if taken || !error.may_pass() || attempt + 1 >= self.0.patience.tries {
                return Err(error);
            }
            self.0.patience.pause(attempt).await;
            attempt += 1;
        }
        match self.holds(path, &content).await {
            Ok(true) => Ok(()),
            other => {
                // The error to tell is the first one; what could not be removed is found by whoever reads it.
                let _ = self.remove(&target, &doing).await;
                Err(other.err().unwrap_or_else(|| doing.damaged("what was read back is not what was written")))
            }
        }
    }

    async fn holds(&self, path: &str, content: &Bytes) -> Result<bool, StorageError> {
        match self.read_small(path, content.len()).await {
            Ok(found) => Ok(found.as_ref() == Some(content)),
            Err(StorageError::Damaged { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The content of a small object; `None` where there is none of that name.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] where it is larger than `limit` bytes.
    pub async fn read_small(&self, path: &str, limit: usize) -> Result<Option<Bytes>, StorageError> {
        let mut reading = match self.read(path).await {
            Ok(reading) => reading,
            Err(StorageError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        if reading.bytes() > limit as u64 {
            let found = format!("it has {} bytes where at most {limit} were expected", reading.bytes());
            return Err(self.doing("read", path).damaged(&found));
        }
        let mut content = BytesMut::with_capacity(limit.min(reading.bytes() as usize));
        while let Some(piece) = reading.next().await? {
            content.extend_from_slice(&piece);
        }
        Ok(Some(content.freeze()))
    }

    /// Opens an object for reading from its start.
    pub async fn read(&self, path: &str) -> Result<Reading, StorageError> {
        Reading::open(self.clone(), name::checked(path)?.to_owned()).await
    }

    /// All objects below a name, or all there are for `""`, by name. Temporaries and what others keep there under
    /// names that cannot be ours are left out.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Object>, StorageError> {
        let mut found: Vec<Object> =
            self.everything(prefix).await?.into_iter().filter_map(|meta| self.object(&meta)).collect();
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// The first part of all names that have several, by name.
    pub async fn folders(&self) -> Result<Vec<String>, StorageError> {
        let doing = self.doing("list", "");
        let top =
            self.0.store.list_with_delimiter(self.below("").as_ref()).await.map_err(|error| doing.store(&error))?;
        let mut names: Vec<String> =
            top.common_prefixes.iter().filter_map(|path| self.name(path)).filter(|name| name::is_ours(name)).collect();
        names.sort();
        Ok(names)
    }

    /// Removes everything below a name, temporaries and begun uploads included; where there is nothing below it, the
    /// object of this name. What is gone already is no error.
    pub async fn delete(&self, path: &str) -> Result<(), StorageError> {
        let doing = self.doing("delete", name::checked(path)?);
        if let Place::Folder(root) = &self.0.place {
            return folder::delete(root, path).await.map_err(|error| doing.io(&error));
        }
        let mut found = self.everything(path).await?;
        if found.is_empty() {
            // Looked for, since not every store takes it well to be told to delete what is not there.
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            let beside = self.0.store.list_with_delimiter(self.below(parent).as_ref()).await;
            found = beside.map_err(|error| doing.store(&error))?.objects;
            found.retain(|meta| meta.location == self.path(path));
        }
        for meta in found {
            match sweep::temporary(&meta.location) {
                Some(temporary) => self.discard(&meta.location, &temporary).await?,
                None => self.remove(&meta.location, &doing).await?,
            }
        }
        Ok(())
    }

    async fn remove(&self, path: &Path, doing: &Doing) -> Result<(), StorageError> {
        match self.0.store.delete(path).await.map_err(|error| doing.store(&error)) {
            Ok(()) | Err(StorageError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Temporaries included. At the top only names that can be ours are followed: a volume's root also has folders
    /// that only its administrator may read.
    async fn everything(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StorageError> {
        let doing = self.doing("list", prefix);
        if !prefix.is_empty() {
            let below = self.path(name::checked(prefix)?);
            return self.0.store.list(Some(&below)).try_collect().await.map_err(|error| doing.store(&error));
        }
        let top =
            self.0.store.list_with_delimiter(self.below("").as_ref()).await.map_err(|error| doing.store(&error))?;
        let mut found = top.objects;
        for folder in top.common_prefixes {
            if self.name(&folder).is_some_and(|name| name::is_ours(&name)) {
                let below = self.0.store.list(Some(&folder)).try_collect::<Vec<_>>().await;
                found.extend(below.map_err(|error| doing.store(&error))?);
            }
        }
        Ok(found)
    }

    fn object(&self, meta: &ObjectMeta) -> Option<Object> {
        let path = self.name(&meta.location).filter(|path| name::is_ours(path))?;
        Some(Object { path, bytes: meta.size, modified: error::instant(meta) })
    }

    /// The store's path of a checked name.
    fn path(&self, name: &str) -> Path {
        self.0.root.parts().chain(name.split('/').map(Into::into)).collect()
    }

    fn below(&self, name: &str) -> Option<Path> {
        let path = if name.is_empty() { self.0.root.clone() } else { self.path(name) };
        (!path.is_root()).then_some(path)
    }

    /// The name of a store's path, if it is below ours.
    fn name(&self, path: &Path) -> Option<String> {
        let parts: Vec<_> = path.prefix_match(&self.0.root)?.collect();
        let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
        Some(parts.join("/"))
    }

    fn doing(&self, action: &'static str, what: &str) -> Doing {
        Doing { storage: self.0.shown.clone(), action, what: what.to_owned() }
    }
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Storage").field(&self.0.shown).finish()
    }
}
