//! The files of the repository, as git would track them.

use std::fs;
use std::path::{Path, PathBuf};

/// A text file.
pub struct File {
    /// Below the repository, with `/`.
    pub path: String,
    /// What it holds.
    pub text: String,
}

impl File {
    /// Whether its name ends in this extension.
    pub fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|own| own == extension)
    }

    /// A Rust file.
    pub fn is_rust(&self) -> bool {
        self.is("rs")
    }

    /// A Rust file that is not only tests or benchmarks.
    pub fn is_source(&self) -> bool {
        let aside = ["tests", "benches", "tests.rs"];
        self.is_rust() && !self.path.split('/').any(|part| aside.contains(&part))
    }

    /// Its lines with their numbers, without the tests that close it.
    pub fn own_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        self.text[..end].lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("testkit is a folder of the repository").to_owned()
}

pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every text file, sorted; without what .gitignore names.
pub fn files() -> Vec<File> {
    let ignore = read(".gitignore");
    let ignored: Vec<&str> =
        ignore.lines().map(|line| line.trim_end_matches('/')).filter(|line| !line.is_empty()).chain([".git"]).collect();
    let mut found = Vec::new();
    walk(&root(), "", &ignored, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 100, "only {} files were found", found.len());
    found
}

fn walk(folder: &Path, prefix: &str, ignored: &[&str], found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let skipped = |pattern: &&str| match (pattern.strip_prefix('/'), pattern.strip_prefix('*')) {
            (Some(at_the_root), _) => at_the_root == path,
            (_, Some(end)) => name.ends_with(end),
            _ => *pattern == name,
        };
        let Ok(kind) = entry.file_type() else { continue };
        if ignored.iter().any(skipped) || kind.is_symlink() {
            continue;
        }
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), ignored, found);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            found.push(File { path, text });
        }
    }
}
