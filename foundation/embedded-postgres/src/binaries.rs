//! Where PostgreSQL is installed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Folders of the usual packages; `*` stands for the major version.
const USUAL_FOLDERS: [&str; 6] = [
    "/usr/lib/postgresql/*/bin",          // Debian, Ubuntu
    "/usr/pgsql-*/bin",                   // PostgreSQL's own packages for Red Hat
    "/usr/libexec/postgresql*",           // Alpine
    "/opt/homebrew/opt/postgresql@*/bin", // macOS
    "/usr/local/opt/postgresql@*/bin",    // macOS on Intel
    "/usr/local/pgsql/bin",               // from source
];

/// A folder with `initdb` and `postgres`, and their version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
    version: Version,
}

/// PostgreSQL's version, 10 and newer: major and minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Decides whether a data folder can be opened.
    pub major: u32,
    /// Only repairs.
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// No usable PostgreSQL on this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no PostgreSQL server was found (looked in $PG_BIN, `pg_config --bindir`, /usr/lib/postgresql/*/bin, other usual folders and PATH); install one with `apt-get install postgresql`, or set PG_BIN to the folder that holds `initdb` and `postgres`"
)]
pub struct NotFound;

impl Binaries {
    /// The first that works of `$PG_BIN`, `pg_config --bindir`, the newest in the usual folders, and PATH.
    ///
    /// `environment` looks variables up; pass `|name| std::env::var(name).ok()`.
    ///
    /// # Errors
    /// [`NotFound`], which says what to install.
    pub fn find(environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, NotFound> {
        candidates(environment).iter().find_map(|folder| Self::in_folder(folder)).ok_or(NotFound)
    }

    /// As [`find`](Self::find), but only of this major version.
    pub(crate) fn find_major(environment: &dyn Fn(&str) -> Option<String>, major: u32) -> Option<Self> {
        candidates(environment)
            .iter()
            .filter_map(|folder| Self::in_folder(folder))
            .find(|binaries| binaries.version.major == major)
    }

    /// The binaries in this folder, if both are there and run.
    pub fn in_folder(folder: &Path) -> Option<Self> {
        if !folder.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(folder.join("postgres")).arg("--version").stdin(Stdio::null()).output().ok()?;
        let version = parse_version(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { folder: folder.to_owned(), version })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The version of `postgres` in it.
    pub fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

pub(crate) fn candidates(environment: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    // Somebody who sets PG_BIN means it: no other is taken then.
    if let Some(folder) = set("PG_BIN") {
        return vec![folder.into()];
    }
    let path: Vec<PathBuf> = set("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let pg_config = path.iter().map(|folder| folder.join("pg_config")).find(|program| program.is_file());
    let mut found: Vec<PathBuf> = pg_config
        .and_then(|program| Command::new(program).arg("--bindir").stdin(Stdio::null()).output().ok())
        .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
        .into_iter()
        .collect();
    found.extend(USUAL_FOLDERS.iter().flat_map(|pattern| newest_first(pattern)));
    found.extend(path);
    found
}

/// All folders a pattern with at most one `*` stands for.
fn newest_first(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else { return vec![pattern.into()] };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let mut versions: Vec<(f64, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?.parse().ok()?;
            Some((version, PathBuf::from(format!("{parent}/{name}{after}"))))
        })
        .collect();
    versions.sort_by(|a, b| b.0.total_cmp(&a.0));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; a beta (`18beta1`) counts as minor 0.
pub(crate) fn parse_version(text: &str) -> Option<Version> {
    let version = text.split_whitespace().nth(2)?;
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    Some(Version { major: digits(major).parse().ok()?, minor: digits(minor).parse().unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        for (text, major, minor) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", 15, 18),
            ("postgres (PostgreSQL) 18beta1", 18, 0),
            ("postgres (PostgreSQL) 17.2", 17, 2),
        ] {
            assert_eq!(parse_version(text), Some(Version { major, minor }), "{text}");
        }
        assert_eq!(parse_version("no version"), None);
    }

    #[test]
    fn newest_comes_first_and_numbers_count_as_numbers() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["9.6", "15", "17", "10", "common"] {
            std::fs::create_dir_all(folder.path().join(name).join("bin")).expect("made");
        }
        let pattern = format!("{}/*/bin", folder.path().display());
        let names: Vec<String> = newest_first(&pattern)
            .iter()
            .map(|path| path.parent().and_then(Path::file_name).expect("a name").to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["17", "15", "10", "9.6"]);
    }

    #[test]
    fn a_wrong_pg_bin_is_an_error_that_names_the_cure() {
        let environment = |name: &str| (name == "PG_BIN").then(|| "/nowhere".to_owned());
        let error = Binaries::find(&environment).expect_err("nothing is there");
        assert!(error.to_string().contains("apt-get install postgresql"), "{error}");
    }

    #[test]
    fn one_is_found_here() {
        let binaries = Binaries::find(&|name| std::env::var(name).ok()).expect("the tests need PostgreSQL");
        assert!(binaries.version().major >= 14, "{binaries:?}");
    }
}
