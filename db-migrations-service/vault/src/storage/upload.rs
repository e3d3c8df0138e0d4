//! Writing an object of unknown size in bounded memory.

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use sha2::{Digest, Sha256};
use sync_wrapper::SyncWrapper;
use tokio::task::JoinSet;

use super::error::Doing;
use super::marked::Marked;
use super::{Place, Storage, StorageError, folder};

/// At least the 5 MiB that S3 wants. All parts but the last have the same size, which some stores ask for.
const PART: usize = 8 << 20;
/// What S3 makes one object of.
const MOST_PARTS: u64 = 10_000;
/// Parts on their way, beside the one that is being collected: together they are the memory of an upload.
const ON_THEIR_WAY: usize = 2;

/// An object that is being written.
///
/// Dropping it, or [`Upload::abort`], leaves nothing behind; what a killed process leaves, [`Storage::sweep`] removes.
/// It takes 24 MiB of memory at most.
pub struct Upload {
    storage: Storage,
    name: String,
    collected: BytesMut,
    sha256: Sha256,
    bytes: u64,
    begun: Option<Begun>,
    over: bool,
}

/// What was stored, as it was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The object's size.
    pub bytes: u64,
    /// The SHA-256 of its content.
    pub sha256: [u8; 32],
}

/// An object of more than one part.
struct Begun {
    place: Parts,
    on_their_way: JoinSet<object_store::Result<()>>,
}

enum Parts {
    /// The library's own: a temporary file that is renamed, and removed when this is dropped.
    Folder(SyncWrapper<Box<dyn MultipartUpload>>),
    Remote(Marked),
}

impl Upload {
    /// The largest object that every storage takes, in bytes: 78 GiB. A folder takes larger ones.
    pub const LARGEST: u64 = MOST_PARTS * PART as u64;

    pub(super) fn new(storage: Storage, name: String) -> Self {
        let collected = BytesMut::new();
        Self { storage, name, collected, sha256: Sha256::new(), bytes: 0, begun: None, over: false }
    }

    /// Adds to the object. Waits while two parts are on their way.
    ///
    /// # Errors
    /// Also those of earlier parts, and where the object grows beyond [`Self::LARGEST`]. After an error the upload can
    /// only be aborted or dropped.
    pub async fn write(&mut self, mut piece: Bytes) -> Result<(), StorageError> {
        self.sha256.update(&piece);
        self.bytes += piece.len() as u64;
        if self.bytes > Self::LARGEST && matches!(self.storage.0.place, Place::Remote(_)) {
            return Err(self.doing().too_large(Self::LARGEST));
        }
        while !piece.is_empty() {
            if self.collected.len() == PART {
                self.send().await?;
            }
            let fits = piece.len().min(PART - self.collected.len());
            self.collected.extend_from_slice(&piece.split_to(fits));
        }
        Ok(())
    }

    /// Sends what is collected as one part.
    async fn send(&mut self) -> Result<(), StorageError> {
        let doing = self.doing();
        if self.begun.is_none() {
            self.begun = Some(self.begin().await.map_err(|error| doing.store(&error))?);
        }
        let Some(begun) = &mut self.begun else { return Ok(()) };
        begun.settle(ON_THEIR_WAY - 1).await.map_err(|error| doing.store(&error))?;
        let part = std::mem::replace(&mut self.collected, BytesMut::with_capacity(PART)).freeze();
        let sent = begun.place.put(part);
        begun.on_their_way.spawn(sent);
        Ok(())
    }

    async fn begin(&self) -> object_store::Result<Begun> {
        self.prepare().await?;
        let (store, target) = (&self.storage.0.store, self.storage.path(&self.name));
        let place = match &self.storage.0.place {
            Place::Folder(_) => Parts::Folder(SyncWrapper::new(store.put_multipart(&target).await?)),
            Place::Remote(parts) => Parts::Remote(Marked::begin(store.clone(), parts.clone(), target).await?),
        };
        Ok(Begun { place, on_their_way: JoinSet::new() })
    }

    /// Completes the object, reads it back and compares it with what was written.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] where it came back otherwise. After any error there is no such object, as far as the
    /// storage could still be reached.
    pub async fn finish(mut self) -> Result<Stored, StorageError> {
        let doing = self.doing();
        let sha256 = std::mem::take(&mut self.sha256).finalize().into();
        let stored = Stored { bytes: self.bytes, sha256 };
        if let Err(error) = self.deliver().await {
            self.take_back().await;
            return Err(error);
        }
        // An answer to the completion may have been lost after it was done: what stands there decides.
        let completed = self.complete().await.map_err(|error| doing.store(&error));
        let compared = self.compare(&stored).await;
        if compared.is_ok() || completed.is_ok() {
            self.over = true;
            if let Some(Begun { place: Parts::Remote(marked), .. }) = &self.begun {
                // A mark that stays is removed by the next sweep.
                marked.unmark().await.ok();
            }
        }
        let Err(error) = compared else { return Ok(stored) };
        self.take_back().await;
        self.storage.remove(&self.storage.path(&self.name), &doing).await.ok();
        Err(completed.err().unwrap_or(error))
    }

    /// Sees the last part off and all others arrive. Less than one part is sent as a whole by [`Self::complete`].
    async fn deliver(&mut self) -> Result<(), StorageError> {
        if self.begun.is_none() {
            return Ok(());
        }
        if !self.collected.is_empty() {
            self.send().await?;
        }
        let doing = self.doing();
        match &mut self.begun {
            Some(begun) => begun.settle(0).await.map_err(|error| doing.store(&error)),
            None => Ok(()),
        }
    }

    async fn complete(&mut self) -> object_store::Result<()> {
        if let Some(begun) = &mut self.begun {
            return begun.place.complete().await;
        }
        self.prepare().await?;
        let whole = PutPayload::from(std::mem::take(&mut self.collected).freeze());
        self.storage.0.store.put(&self.storage.path(&self.name), whole).await.map(|_| ())
    }

    async fn prepare(&self) -> object_store::Result<()> {
        let prepared = folder::prepare(&self.storage.0.place, &self.name).await;
        prepared.map_err(|error| object_store::Error::Generic { store: "folder", source: error.into() })
    }

    async fn compare(&self, stored: &Stored) -> Result<(), StorageError> {
        let mut reading = self.storage.read(&self.name).await?;
        let (mut sha256, mut bytes) = (Sha256::new(), 0);
        while let Some(piece) = reading.next().await? {
            sha256.update(&piece);
            bytes += piece.len() as u64;
        }
        if bytes == stored.bytes && sha256.finalize()[..] == stored.sha256 {
            return Ok(());
        }
        Err(self.doing().damaged("what was read back is not what was written"))
    }

    /// Gives the object up and removes what was sent of it.
    ///
    /// # Errors
    /// Where the storage did not let it be removed; [`Storage::sweep`] will.
    pub async fn abort(mut self) -> Result<(), StorageError> {
        self.over = true;
        let doing = self.doing();
        match self.begun.take() {
            Some(begun) => begun.abort().await.map_err(|error| doing.store(&error)),
            None => Ok(()),
        }
    }

    /// Removes what was sent, for an error that is told instead of what this may run into.
    async fn take_back(&mut self) {
        let over = std::mem::replace(&mut self.over, true);
        if let Some(begun) = self.begun.take().filter(|_| !over) {
            begun.abort().await.ok();
        }
        if let Place::Folder(root) = &self.storage.0.place {
            // The library forgets its temporary file when the renaming fails.
            folder::abandon(root, &self.name).await.ok();
        }
    }

    fn doing(&self) -> Doing {
        self.storage.doing("write", &self.name)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(begun) = self.begun.take().filter(|_| !self.over) else { return };
        // Without a runtime the process is ending, and the next sweep finds the mark.
        if let (Parts::Remote(_), Ok(runtime)) = (&begun.place, tokio::runtime::Handle::try_current()) {
            runtime.spawn(begun.abort());
        }
    }
}

impl Begun {
    /// Waits until at most `most` parts are on their way.
    async fn settle(&mut self, most: usize) -> object_store::Result<()> {
        while self.on_their_way.len() > most {
            if let Some(part) = self.on_their_way.join_next().await {
                part??;
            }
        }
        Ok(())
    }

    async fn abort(mut self) -> object_store::Result<()> {
        // A part that arrives after the end of its upload would stay: those on their way are seen in first.
        while self.on_their_way.join_next().await.is_some() {}
        match &mut self.place {
            Parts::Folder(upload) => upload.get_mut().abort().await,
            Parts::Remote(marked) => marked.abort().await,
        }
    }
}

impl Parts {
    fn put(&mut self, part: Bytes) -> BoxFuture<'static, object_store::Result<()>> {
        match self {
            Self::Folder(upload) => upload.get_mut().put_part(PutPayload::from(part)),
            Self::Remote(marked) => marked.put(part),
        }
    }

    async fn complete(&mut self) -> object_store::Result<()> {
        match self {
            Self::Folder(upload) => upload.get_mut().complete().await.map(|_| ()),
            Self::Remote(marked) => marked.complete().await,
        }
    }
}
