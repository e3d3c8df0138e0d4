//! Files for the programs that we start, which read or write them by a path. They have no name, so that nothing of them stays when
//! this process is killed.

use std::fs::File;
use std::io;

/// A file that is gone when this is.
pub(crate) struct Unnamed {
    file: File,
    #[cfg(not(target_os = "linux"))]
    path: tempfile::TempPath,
}

impl Unnamed {
    /// An empty one.
    #[cfg(target_os = "linux")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile()? })
    }

    /// An empty one; here it has a name.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new() -> io::Result<Self> {
        let (file, path) = tempfile::NamedTempFile::with_prefix("profe-restore-")?.into_parts();
        Ok(Self { file, path })
    }

    /// One with this content.
    pub(crate) fn holding(content: &[u8]) -> io::Result<Self> {
        let mut unnamed = Self::new()?;
        io::Write::write_all(&mut unnamed.file, content)?;
        Ok(unnamed)
    }

    /// By which programs of the same user find it, as long as this lives.
    pub(crate) fn path(&self) -> String {
        #[cfg(target_os = "linux")]
        let path = format!("/proc/{}/fd/{}", std::process::id(), std::os::fd::AsRawFd::as_raw_fd(&self.file));
        #[cfg(not(target_os = "linux"))]
        let path = self.path.display().to_string();
        path
    }
}
