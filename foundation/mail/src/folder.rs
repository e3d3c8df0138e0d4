//! Letters as files, for who has no mail server: any mail program opens them.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use uuid::Uuid;

/// Writes one file, whole or not at all, for its owner alone: links in it let people in. Its path.
pub(crate) fn put(folder: &Path, bytes: &[u8]) -> io::Result<String> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // The names sort by time.
    let name = Uuid::now_v7();
    let (unfinished, finished) = (folder.join(format!(".{name}")), folder.join(format!("{name}.eml")));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, &finished)?;
    Ok(finished.display().to_string())
}
