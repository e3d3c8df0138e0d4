//! What a folder needs beyond the library: that only its owner reads it, that deletions last, that nothing of a dead
//! writer stays.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::{Place, name};

/// Backups hold everything that the database's roles keep apart: their owner alone reads them.
const OWNER_ONLY: u32 = 0o700;

/// Creates the folder if it is missing; its path with all links resolved.
pub(super) fn open(path: &Path) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(OWNER_ONLY).create(path)?;
    path.canonicalize()
}

/// Creates the folders above a name, before the library does it with everybody's rights.
pub(super) async fn prepare(place: &Place, name: &str) -> io::Result<()> {
    let Place::Folder(root) = place else { return Ok(()) };
    let Some((folders, _)) = name.rsplit_once('/') else { return Ok(()) };
    let path = root.join(folders);
    blocking(move || DirBuilder::new().recursive(true).mode(OWNER_ONLY).create(path)).await
}

/// Removes a file or a folder, and what a writer of that file has begun.
pub(super) async fn delete(root: &Path, name: &str) -> io::Result<()> {
    let path = root.join(name);
    blocking(move || {
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        gone_is_fine(removed)?;
        remove_begun(&path)?;
        match path.parent() {
            // A deletion that a crash undoes would bring back half a backup.
            Some(parent) if parent.exists() => File::open(parent)?.sync_all(),
            _ => Ok(()),
        }
    })
    .await
}

/// Removes what was begun under a name and not finished.
pub(super) async fn abandon(root: &Path, name: &str) -> io::Result<()> {
    let path = root.join(name);
    blocking(move || remove_begun(&path)).await
}

fn remove_begun(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(());
    };
    if !parent.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if entry.file_name().to_str().and_then(begun) == Some(name) {
            gone_is_fine(fs::remove_file(entry.path()))?;
        }
    }
    Ok(())
}

/// Removes everything begun and not touched since `before`, and folders that are empty since then. The number of
/// files removed.
pub(super) async fn sweep(root: &Path, before: OffsetDateTime) -> io::Result<u64> {
    let root = root.to_owned();
    blocking(move || sweep_in(&root, before)).await
}

fn sweep_in(folder: &Path, before: OffsetDateTime) -> io::Result<u64> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str() else { continue };
        let Ok(about) = entry.metadata() else { continue };
        let old = about.modified().is_ok_and(|at| OffsetDateTime::from(at) < before);
        if about.is_dir() && name::is_ours(name) {
            removed += sweep_in(&path, before)?;
            if old {
                // Refused where it is not empty, which is what we want to know.
                let _ = fs::remove_dir(&path);
            }
        } else if about.is_file() && old && begun(name).is_some_and(name::is_ours) {
            gone_is_fine(fs::remove_file(&path))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The name of the object whose temporary file this is: the library writes `name#1` and renames it.
fn begun(file: &str) -> Option<&str> {
    let (name, number) = file.rsplit_once('#')?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(name)
}

fn gone_is_fine(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
