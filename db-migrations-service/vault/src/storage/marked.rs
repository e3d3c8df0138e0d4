//! An upload in parts to a store, which leaves a mark of itself as long as it is not done.
//!
//! The parts of an upload that nobody completes are kept, and charged for, without being listed anywhere among the
//! objects. The library cannot list such uploads, and S3's own list of them wants a permission of its own and is
//! missing in some stores that speak S3. So before the first part is sent, the upload's id is written into a small
//! object beside the one to be: whoever finds it there can take the upload back. What dies between the two leaves an upload
//! without parts, which takes no room.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{MultipartId, ObjectStore, ObjectStoreExt, PutPayload};

use super::sweep::marker_of;

type Outcome<T = ()> = object_store::Result<T>;

/// How often the mark of a running upload is made anew, so that its age tells a running one from a dead one.
const RENEW_AFTER: Duration = Duration::from_mins(10);

pub(super) struct Marked {
    store: Arc<dyn ObjectStore>,
    parts: Arc<dyn MultipartStore>,
    target: Path,
    marker: Path,
    id: MultipartId,
    renewed: Instant,
    sent: usize,
    done: Arc<Mutex<Vec<Option<PartId>>>>,
}

impl Marked {
    pub async fn begin(store: Arc<dyn ObjectStore>, parts: Arc<dyn MultipartStore>, target: Path) -> Outcome<Self> {
        let id = parts.create_multipart(&target).await?;
        let marker = marker_of(&target);
        let upload = Self { store, parts, target, marker, id, renewed: Instant::now(), sent: 0, done: Arc::default() };
        match upload.mark().await {
            Ok(()) => Ok(upload),
            Err(error) => {
                upload.abort().await.ok();
                Err(error)
            }
        }
    }

    fn mark(&self) -> BoxFuture<'static, Outcome> {
        let (store, marker, id) = (Arc::clone(&self.store), self.marker.clone(), self.id.clone());
        Box::pin(async move { store.put(&marker, PutPayload::from(id)).await.map(|_| ()) })
    }

    /// Sends the next part. Parts may be sent side by side.
    pub fn put(&mut self, part: Bytes) -> BoxFuture<'static, Outcome> {
        let index = self.sent;
        self.sent += 1;
        let renewal = (self.renewed.elapsed() > RENEW_AFTER).then(|| {
            self.renewed = Instant::now();
            self.mark()
        });
        let (parts, target, id) = (Arc::clone(&self.parts), self.target.clone(), self.id.clone());
        let done = Arc::clone(&self.done);
        Box::pin(async move {
            if let Some(renewal) = renewal {
                renewal.await?;
            }
            let part = parts.put_part(&target, &id, index, PutPayload::from(part)).await?;
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            if done.len() <= index {
                done.resize(index + 1, None);
            }
            done[index] = Some(part);
            Ok(())
        })
    }

    /// Makes the object of its parts, all of which must have been sent. The mark stays: what was made is not checked.
    pub async fn complete(&self) -> Outcome {
        let done = std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner));
        self.parts.complete_multipart(&self.target, &self.id, done.into_iter().flatten().collect()).await.map(|_| ())
    }

    /// Takes the upload back, parts and all, and then its mark.
    pub async fn abort(&self) -> Outcome {
        take_back(&*self.parts, &self.target, &self.id).await?;
        self.unmark().await
    }

    pub async fn unmark(&self) -> Outcome {
        gone_is_fine(self.store.delete(&self.marker).await)
    }
}

/// Takes an upload back; one that is over is fine.
pub(super) async fn take_back(parts: &dyn MultipartStore, target: &Path, id: &MultipartId) -> Outcome {
    gone_is_fine(parts.abort_multipart(target, id).await)
}

fn gone_is_fine(outcome: Outcome) -> Outcome {
    match outcome {
        Err(object_store::Error::NotFound { .. }) => Ok(()),
        outcome => outcome,
    }
}
