//! Reading an object of any size in bounded memory, over interruptions.

use std::fs::File;
use std::io::Read;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::{GetOptions, GetRange, GetResultPayload};
use sync_wrapper::SyncWrapper;
use tokio::sync::mpsc;

use super::error::Doing;
use super::{Storage, StorageError};

/// What a folder's reader hands over at once; it has three of them at most.
const PIECE: usize = 1 << 20;

/// An object that is being read, from start to end.
pub struct Reading {
    storage: Storage,
    name: String,
    bytes: u64,
    at: u64,
    version: Option<String>,
    source: Option<Source>,
    /// Attempts since there was progress.
    failed: usize,
}

enum Source {
    Folder(mpsc::Receiver<std::io::Result<Bytes>>),
    Remote(SyncWrapper<BoxStream<'static, object_store::Result<Bytes>>>),
}

impl Reading {
    pub(super) async fn open(storage: Storage, name: String) -> Result<Self, StorageError> {
        let mut reading = Self { storage, name, bytes: 0, at: 0, version: None, source: None, failed: 0 };
        reading.connect().await?;
        Ok(reading)
    }

    /// The size of the object.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next piece, of at most a few MiB; `None` at the end.
    ///
    /// A remote storage that breaks off is asked for the rest, as often as [`super::Patience`] has it without a byte
    /// between.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        loop {
            if self.at == self.bytes {
                return Ok(None);
            }
            let broken = match self.piece().await {
                Ok(Some(piece)) => {
                    self.at += piece.len() as u64;
                    self.failed = 0;
                    if self.at > self.bytes {
                        return Err(self.doing().damaged("it is longer than the storage says"));
                    }
                    return Ok(Some(piece));
                }
                Ok(None) => return Err(self.doing().damaged("it is shorter than the storage says")),
                Err(error) => error,
            };
            self.source = None;
            self.failed += 1;
            let local = matches!(self.storage.0.place, super::Place::Folder(_));
            if local || !broken.may_pass() || self.failed >= self.storage.0.patience.tries {
                return Err(broken);
            }
            self.storage.0.patience.pause(self.failed - 1).await;
        }
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, StorageError> {
        if self.source.is_none() {
            self.connect().await?;
        }
        let doing = self.doing();
        match &mut self.source {
            Some(Source::Folder(pieces)) => pieces.recv().await.transpose().map_err(|error| doing.io(&error)),
            Some(Source::Remote(pieces)) => {
                pieces.get_mut().next().await.transpose().map_err(|error| doing.store(&error))
            }
            None => Ok(None),
        }
    }

    /// Asks for the object, or for the rest of it, provided that it is still the same one.
    async fn connect(&mut self) -> Result<(), StorageError> {
        let rest = (self.at > 0).then_some(GetRange::Offset(self.at));
        let options = GetOptions { range: rest, if_match: self.version.clone(), ..GetOptions::default() };
        let path = self.storage.path(&self.name);
        let replaced = || self.doing().damaged("it was replaced while it was read");
        let found = match self.storage.0.store.get_opts(&path, options).await {
            Ok(found) => found,
            Err(object_store::Error::Precondition { .. }) => return Err(replaced()),
            Err(error) => return Err(self.doing().store(&error)),
        };
        // Not every store looks at the condition.
        if self.at > 0 && (&self.version, self.bytes) != (&found.meta.e_tag, found.meta.size) {
            return Err(replaced());
        }
        self.bytes = found.meta.size;
        self.version = found.meta.e_tag;
        self.source = Some(match found.payload {
            GetResultPayload::File(file, _) => Source::Folder(read_ahead(file)),
            GetResultPayload::Stream(stream) => Source::Remote(SyncWrapper::new(stream)),
        });
        Ok(())
    }

    fn doing(&self) -> Doing {
        self.storage.doing("read", &self.name)
    }
}

/// Reads a file on a thread of its own, a little ahead of who takes it; the library would change threads for every
/// 8 KiB. It ends when nobody takes any more.
fn read_ahead(mut file: File) -> mpsc::Receiver<std::io::Result<Bytes>> {
    let (pieces, taken) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut piece = BytesMut::zeroed(PIECE);
            let outcome = match file.read(&mut piece) {
                Ok(0) => return,
                Ok(length) => {
                    piece.truncate(length);
                    Ok(piece.freeze())
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let failed = outcome.is_err();
            if pieces.blocking_send(outcome).is_err() || failed {
                return;
            }
        }
    });
    taken
}
