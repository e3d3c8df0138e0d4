//! Temporaries: what a writer keeps beside the objects while it works, and what is left when it was killed.
//!
//! Their names hold a `#`, which no object's name does. In a folder the library makes them (`name#1`, the object to
//! be); in a store they are ours (`name#upload`, the id of an upload in parts; `probe#…`).

use object_store::ObjectStoreExt;
use object_store::path::Path;
use time::OffsetDateTime;

use super::error::instant;
use super::marked::take_back;
use super::{Place, Storage, StorageError, folder};

const UPLOAD: &str = "#upload";
const PROBE: &str = "#probe";

/// What a temporary is of.
pub(super) enum Temporary {
    /// The upload of this object.
    Upload(Path),
    Probe,
}

pub(super) fn marker_of(target: &Path) -> Path {
    beside(target, UPLOAD)
}

pub(super) fn probe_at(target: &Path) -> Path {
    beside(target, PROBE)
}

/// The path whose last part goes on with `suffix`. It is parsed, since building it from parts would escape the `#`.
fn beside(target: &Path, suffix: &str) -> Path {
    Path::parse(format!("{target}{suffix}")).unwrap_or_else(|_| target.clone())
}

/// What a store's path is a temporary of, if it is one.
pub(super) fn temporary(path: &Path) -> Option<Temporary> {
    let text = path.as_ref();
    if let Some(target) = text.strip_suffix(UPLOAD) {
        return Path::parse(target).ok().map(Temporary::Upload);
    }
    text.ends_with(PROBE).then_some(Temporary::Probe)
}

impl Storage {
    /// Removes what killed writers left behind: temporary files, begun uploads with their parts, probes. Only what was
    /// last touched before the given instant (by the storage's clock) goes: a running writer touches its own every
    /// ten minutes, as long as it has something to write, and one that is swept under its hands fails without harm.
    /// The number of what was removed.
    pub async fn sweep(&self, before: OffsetDateTime) -> Result<u64, StorageError> {
        if let Place::Folder(root) = &self.0.place {
            return folder::sweep(root, before).await.map_err(|error| self.doing("sweep", "").io(&error));
        }
        let mut removed = 0;
        for meta in self.everything("").await? {
            if let Some(temporary) = temporary(&meta.location).filter(|_| instant(&meta) < before) {
                self.discard(&meta.location, &temporary).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Removes a temporary of a store, and the upload that it stands for.
    pub(super) async fn discard(&self, path: &Path, temporary: &Temporary) -> Result<(), StorageError> {
        let doing = self.doing("take back", path.as_ref());
        if let (Temporary::Upload(target), Place::Remote(parts)) = (temporary, &self.0.place) {
            let id = match self.0.store.get(path).await {
                Ok(found) => found.bytes().await.map_err(|error| doing.store(&error))?,
                // Its writer was faster.
                Err(object_store::Error::NotFound { .. }) => return Ok(()),
                Err(error) => return Err(doing.store(&error)),
            };
            let id = String::from_utf8_lossy(&id).into_owned();
            if let Err(error) = take_back(&**parts, target, &id).await {
                // Some stores do not say that an upload is over, but that it is none of ours. It is over where the
                // object stands.
                if self.0.store.head(target).await.is_err() {
                    return Err(doing.store(&error));
                }
            }
        }
        self.remove(path, &doing).await
    }
}
