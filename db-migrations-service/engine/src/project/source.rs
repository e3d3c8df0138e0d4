//! Where a project's files are read from.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use sql_grammar::position_at_byte;

use crate::error::{EngineError, ErrorCode, Location};

#[derive(Debug, Clone)]
pub(crate) enum Source {
    Folder(PathBuf),
    Embedded(BTreeMap<String, Cow<'static, [u8]>>),
}

impl Source {
    /// The names of the entries of a folder, and whether each is a folder. An absent folder is empty.
    pub(crate) fn list(&self, folder: &str) -> Result<Vec<(String, bool)>, EngineError> {
        let mut entries = match self {
            Self::Folder(root) => {
                let path = root.join(folder);
                let read = match std::fs::read_dir(&path) {
                    Ok(read) => read,
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
                    Err(error) => return Err(unreadable(folder, &error)),
                };
                let mut entries = Vec::new();
                for entry in read {
                    let entry = entry.map_err(|e| unreadable(folder, &e))?;
                    // Following links: a folder of migrations may be a link into another checkout.
                    let is_folder = match entry.file_type() {
                        Ok(kind) if !kind.is_symlink() => kind.is_dir(),
                        _ => entry.path().is_dir(),
                    };
                    let name = entry.file_name().into_string().map_err(|name| {
                        EngineError::new(
                            ErrorCode::FileMisnamed,
                            format!("{folder}/ holds a file whose name is not UTF-8: {}", name.display()),
                        )
                        .cure("rename or remove the file")
                    })?;
                    entries.push((name, is_folder));
                }
                entries
            }
            Self::Embedded(files) => {
                let prefix = format!("{folder}/");
                let mut entries: Vec<(String, bool)> = files
                    .range(prefix.clone()..)
                    .take_while(|(path, _)| path.starts_with(&prefix))
                    .map(|(path, _)| match path[prefix.len()..].split_once('/') {
                        Some((folder, _)) => (folder.to_owned(), true),
                        None => (path[prefix.len()..].to_owned(), false),
                    })
                    .collect();
                entries.dedup();
                entries
            }
        };
        entries.sort();
        Ok(entries)
    }

    /// Whether there is such a folder.
    pub(crate) fn has_folder(&self, folder: &str) -> Result<bool, EngineError> {
        match self {
            Self::Folder(root) => Ok(root.join(folder).is_dir()),
            Self::Embedded(_) => Ok(!self.list(folder)?.is_empty()),
        }
    }

    pub(crate) fn read(&self, path: &str) -> Result<Cow<'_, [u8]>, EngineError> {
        match self {
            Self::Folder(root) => std::fs::read(root.join(path)).map(Cow::Owned).map_err(|e| unreadable(path, &e)),
            Self::Embedded(files) => files
                .get(path)
                .map(|bytes| Cow::Borrowed(bytes.as_ref()))
                .ok_or_else(|| unreadable(path, &std::io::Error::from(std::io::ErrorKind::NotFound))),
        }
    }

    pub(crate) fn read_text(&self, path: &str) -> Result<String, EngineError> {
        text(path, self.read(path)?.into_owned())
    }
}

/// Bytes as UTF-8, or the place where they are not.
pub(crate) fn text(path: &str, bytes: Vec<u8>) -> Result<String, EngineError> {
    let bad = |message: String, line: usize, column: usize, line_text: String| {
        EngineError::new(ErrorCode::BadEncoding, message)
            .cure("save the file as UTF-8 without a byte order mark")
            .at(Location { file: path.to_owned(), line, column, line_text, statement: None, statement_text: None })
    };
    match bytes.as_slice() {
        [0xef, 0xbb, 0xbf, ..] => {
            return Err(bad(format!("{path} begins with a byte order mark"), 1, 1, String::new()));
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            return Err(bad(format!("{path} is UTF-16, not UTF-8"), 1, 1, String::new()));
        }
        _ => {}
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let byte = error.as_bytes()[at];
        // What is no UTF-8 is shown as replacement characters; before it nothing changes its place.
        let shown = String::from_utf8_lossy(error.as_bytes());
        let position = position_at_byte(&shown, at);
        let (line, column) = (position.line, position.column);
        bad(
            format!("{path}:{line}:{column}: not UTF-8 (byte {byte:#04x} at offset {at})"),
            line,
            column,
            position.line_of(&shown).to_owned(),
        )
    })
}

fn unreadable(path: &str, error: &std::io::Error) -> EngineError {
    EngineError::new(ErrorCode::ProjectUnreadable, format!("{path} of the project cannot be read: {error}"))
        .cure("a project is a folder with config/services.toml, migrations/<schema>/ and seeds/<schema>/")
}
