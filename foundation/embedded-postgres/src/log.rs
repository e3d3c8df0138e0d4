//! The end of the server's log, and what it means.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

const LINES_SHOWN: usize = 8;

/// Everything written to `path` from byte `start` on.
pub(crate) fn since(path: &Path, start: u64) -> String {
    let mut bytes = Vec::new();
    let read = |bytes: &mut Vec<u8>| {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(start))?;
        file.read_to_end(bytes)
    };
    // A log that cannot be read must not hide the error it would explain.
    let _ = read(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The last lines, joined for a sentence.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return "(nothing)".to_owned();
    }
    lines[lines.len().saturating_sub(LINES_SHOWN)..].join(" | ")
}

/// What stopped a server that was starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    PortTaken,
    /// Remains of a former server, which go away by themselves.
    FormerServer,
    DiskFull,
    Unknown,
}

/// Sorts by the system's and PostgreSQL's untranslated words; the server runs with LC_ALL=C.
pub(crate) fn obstacle(text: &str) -> Obstacle {
    let says = |words: &str| text.contains(words);
    if says("No space left on device") {
        Obstacle::DiskFull
    } else if says("Address already in use") {
        Obstacle::PortTaken
    } else if says("\"postmaster.pid\" already exists") || says("pre-existing shared memory block") {
        Obstacle::FormerServer
    } else {
        Obstacle::Unknown
    }
}
