//! Where the chains of the targets' audits ended, a line of JSON each, in a file that whoever may write to the databases
//! perhaps may not: where master and target are one server, the master database proves little.
//!
//! Lines are added and never changed. A line that a crash left unfinished is none, and goes when the next one is added.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use migration_engine::audit::AuditHead;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// When it was written down.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The database's name.
    pub target: String,
    /// The environment that had it.
    pub environment: String,
    /// Where its chain ended.
    pub head: AuditHead,
}

/// Why anchors cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}; {}", self.message(self.path.display()), self.cure())]
pub struct AnchorFileError {
    path: PathBuf,
    kind: AnchorFileErrorKind,
}

#[derive(Debug)]
enum AnchorFileErrorKind {
    /// The file or its disk.
    Io { doing: &'static str, source: io::Error },
    /// A line, from 1, was changed, or written by something else.
    Line { line: usize, reason: String },
}

impl AnchorFileError {
    pub(super) fn io(path: &Path, doing: &'static str, source: io::Error) -> Self {
        Self { path: path.to_owned(), kind: AnchorFileErrorKind::Io { doing, source } }
    }

    /// What is wrong with the file, which is named as the reader may know it.
    pub fn message(&self, file: impl Display) -> String {
        match &self.kind {
            AnchorFileErrorKind::Io { doing, source } => format!("the anchor file {file} cannot be {doing}: {source}"),
            AnchorFileErrorKind::Line { line, reason } => {
                format!("line {line} of the anchor file {file} is no anchor: {reason}")
            }
        }
    }

    /// What to do.
    pub fn cure(&self) -> &'static str {
        match self.kind {
            AnchorFileErrorKind::Io { .. } => {
                "see that its folder exists and that this user may read and write there, or name another file"
            }
            AnchorFileErrorKind::Line { .. } => "restore the file from a copy",
        }
    }

    /// Which file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The file, where one is named.
#[derive(Debug)]
pub struct AnchorFile {
    path: PathBuf,
    /// What this process wrote last, so that one head is not written twice.
    last: Mutex<Vec<(String, AuditHead)>>,
}

impl AnchorFile {
    /// Opens it for adding, making it where it is missing.
    ///
    /// # Errors
    /// No such folder, or one that may not be written to.
    pub fn open(path: &Path) -> Result<Self, AnchorFileError> {
        let file = Self { path: path.to_owned(), last: Mutex::default() };
        let is_new = !path.exists();
        file.for_adding().map_err(|error| AnchorFileError::io(path, "written", error))?;
        if is_new && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            // The name of a new file is on disk when its folder is.
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(|error| AnchorFileError::io(path, "written", error))?;
        }
        Ok(file)
    }

    /// Every anchor of a file that must be there. A last line that was not finished is passed over.
    ///
    /// # Errors
    /// A file that cannot be read, any other line that is no anchor.
    pub fn read(path: &Path) -> Result<Vec<Anchor>, AnchorFileError> {
        let bytes = std::fs::read(path).map_err(|error| AnchorFileError::io(path, "read", error))?;
        let mut anchors = Vec::new();
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
        lines.try_for_each(|(index, line)| match serde_json::from_slice(line) {
            Ok(anchor) => {
                anchors.push(anchor);
                Ok(())
            }
            Err(_) if !line.ends_with(b"\n") => Ok(()),
            Err(error) => {
                let kind = AnchorFileErrorKind::Line { line: index + 1, reason: error.to_string() };
                Err(AnchorFileError { path: path.to_owned(), kind })
            }
        })?;
        Ok(anchors)
    }

    /// Which file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every anchor of this file.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn anchors(&self) -> Result<Vec<Anchor>, AnchorFileError> {
        Self::read(&self.path)
    }

    /// Adds an anchor, unless it is the one that was added last for its environment; it is on disk when this returns.
    ///
    /// # Errors
    /// A disk that is full or gone.
    pub fn add(&self, anchor: &Anchor) -> Result<(), AnchorFileError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.iter().any(|(environment, head)| *environment == anchor.environment && *head == anchor.head) {
            return Ok(());
        }
        self.write(anchor).map_err(|error| AnchorFileError::io(&self.path, "written", error))?;
        last.retain(|(environment, _)| *environment != anchor.environment);
        last.push((anchor.environment.clone(), anchor.head.clone()));
        Ok(())
    }

    fn write(&self, anchor: &Anchor) -> io::Result<()> {
        let mut line = serde_json::to_vec(anchor)?;
        line.push(b'\n');
        let mut file = self.for_adding()?;
        // Other copies of the service may add to the same file. Let go when the file is closed.
        file.lock()?;
        end_last_line(&mut file)?;
        file.write_all(&line)?;
        file.sync_data()
    }

    fn for_adding(&self) -> io::Result<File> {
        OpenOptions::new().read(true).append(true).create(true).open(&self.path)
    }
}

/// What a crash left: a whole anchor without its end of line gets one, anything else goes.
fn end_last_line(file: &mut File) -> io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    if length == 0 || last_byte(file)? == b'\n' {
        return Ok(());
    }
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    let begin = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    match serde_json::from_slice::<Anchor>(&bytes[begin..]) {
        Ok(_) => file.write_all(b"\n"),
        Err(_) => file.set_len(begin as u64),
    }
}

fn last_byte(file: &mut File) -> io::Result<u8> {
    let mut byte = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut byte)?;
    Ok(byte[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor(position: i64) -> Anchor {
        let head = AuditHead { database: "1/2".to_owned(), position, hash: "ab".to_owned() };
        let at = OffsetDateTime::UNIX_EPOCH;
        Anchor { at, target: "escuela".to_owned(), environment: "development".to_owned(), head }
    }

    fn positions(path: &Path) -> Vec<i64> {
        AnchorFile::read(path).expect("a good file").iter().map(|anchor| anchor.head.position).collect()
    }

    #[test]
    fn an_unfinished_last_line_is_passed_over_and_goes_with_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("anchors.jsonl");
        let file = AnchorFile::open(&path).expect("a folder that may be written to");
        assert!(positions(&path).is_empty());
        file.add(&anchor(1)).expect("room");
        file.add(&anchor(1)).expect("room");
        let whole = std::fs::read(&path).expect("the file");
        for torn in [1, whole.len() / 2, whole.len() - 2] {
            std::fs::write(&path, [&whole[..], &whole[..torn]].concat()).expect("room");
            assert_eq!(positions(&path), [1], "{torn}");
            AnchorFile::open(&path).and_then(|file| file.add(&anchor(2))).expect("room");
            assert_eq!(positions(&path), [1, 2], "{torn}");
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).expect("room");
        assert_eq!(positions(&path), [1], "only the end of line is missing");
        AnchorFile::open(&path).and_then(|file| file.add(&anchor(2))).expect("room");
        assert_eq!(positions(&path), [1, 2]);
    }

    #[test]
    fn any_other_bad_line_is_named_with_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("anchors.jsonl");
        let file = AnchorFile::open(&path).expect("a folder that may be written to");
        file.add(&anchor(1)).expect("room");
        let whole = std::fs::read_to_string(&path).expect("the file");
        for bad in [format!("{whole}\n{whole}"), format!("{whole}{{}}\n"), format!("{whole}{}\n", &whole[..20])] {
            std::fs::write(&path, bad).expect("room");
            let error = AnchorFile::read(&path).expect_err("the second line is none").to_string();
            assert!(error.starts_with("line 2 of the anchor file ") && error.contains("anchors.jsonl"), "{error}");
        }
        let away = AnchorFile::open(&folder.path().join("away/anchors.jsonl")).expect_err("no such folder");
        assert!(away.to_string().contains("see that its folder exists"), "{away}");
    }
}
