//! What happened, with the time since the beginning: one line each, in a file that outlasts the soak.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use crate::Outcome;

/// The file.
pub struct Journal {
    begun: Instant,
    file: Mutex<File>,
    path: PathBuf,
}

impl Journal {
    /// A new one in a folder.
    pub fn new(folder: &Path) -> Outcome<Self> {
        let path = folder.join("journal.log");
        let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { begun: Instant::now(), file: Mutex::new(file), path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When it was begun.
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// Writes down what happened in a lane.
    pub fn tell(&self, lane: &str, what: &str) {
        let mut line = String::new();
        let what = what.replace('\n', " ⏎ ");
        let _ = writeln!(line, "{:9.3}  {lane:<16}  {what}", self.begun.elapsed().as_secs_f64());
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A journal that cannot be written ends nothing.
        let _ = file.write_all(line.as_bytes());
    }
}
