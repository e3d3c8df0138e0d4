//! Which `pg_dump` and `pg_restore` are there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::binaries::{Version, candidates, parse_version};

/// A folder with `pg_dump` and `pg_restore`, and their version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    folder: PathBuf,
    version: Version,
}

/// No `pg_dump` that can read the server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTools {
    /// There is none at all.
    #[error(
        "no pg_dump was found (looked in $PG_BIN, `pg_config --bindir`, /usr/lib/postgresql/*/bin, other usual folders and PATH); install it with `apt-get install postgresql-client-{server}`, or set PG_BIN to the folder that holds it"
    )]
    None {
        /// The server's major version.
        server: u32,
    },
    /// `pg_dump` reads servers of its own version and older ones.
    #[error(
        "the server is PostgreSQL {server}, and the newest pg_dump here is {newest} (in {}), which refuses newer servers; install it with `apt-get install postgresql-client-{server}`, or set PG_BIN to a folder with a newer one",
        .folder.display()
    )]
    TooOld {
        /// The server's major version.
        server: u32,
        /// The newest there is.
        newest: Version,
        /// Where that one is.
        folder: PathBuf,
    },
}

impl Tools {
    /// Those that fit a server of this major version: of the same version, or else of the next newer one that is here, since
    /// what a newer `pg_dump` writes an older server may not take.
    ///
    /// `environment` looks variables up; where `PG_BIN` is set, nothing else is looked at.
    ///
    /// # Errors
    /// [`NoTools`], which says what to install.
    pub fn for_server(environment: &dyn Fn(&str) -> Option<String>, server: u32) -> Result<Self, NoTools> {
        // The folders of packages come before PATH, where Debian has a wrapper that finds the real ones anew with every start.
        choose(candidates(environment).iter().filter_map(|folder| Self::in_folder(folder)).collect(), server)
    }

    /// Those in this folder, if both are there and run.
    pub fn in_folder(folder: &Path) -> Option<Self> {
        if !folder.join("pg_restore").is_file() {
            return None;
        }
        let output = Command::new(folder.join("pg_dump")).arg("--version").stdin(Stdio::null()).output().ok()?;
        Some(Self { version: parse_version(&String::from_utf8_lossy(&output.stdout))?, folder: folder.to_owned() })
    }

    /// The path of `pg_dump` or `pg_restore`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Their version.
    pub fn version(&self) -> Version {
        self.version
    }
}

fn choose(mut found: Vec<Tools>, server: u32) -> Result<Tools, NoTools> {
    // The lowest major version that will do, of that the newest minor one.
    found.sort_by_key(|tools| (tools.version.major, std::cmp::Reverse(tools.version.minor)));
    if let Some(tools) = found.iter().find(|tools| tools.version.major >= server) {
        return Ok(tools.clone());
    }
    Err(match found.pop() {
        Some(tools) => NoTools::TooOld { server, newest: tools.version, folder: tools.folder },
        None => NoTools::None { server },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fake(folder: &Path, version: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        std::fs::create_dir_all(folder).unwrap();
        for name in ["pg_dump", "pg_restore"] {
            let program = folder.join(name);
            std::fs::write(&program, format!("#!/bin/sh\necho \"{name} (PostgreSQL) {version}\"\n")).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder.to_owned()
    }

    /// Only folders of the test: the usual ones of this machine would be looked at too.
    fn found(folders: &[PathBuf], server: u32) -> Result<Version, NoTools> {
        let found: Vec<Tools> = folders.iter().filter_map(|folder| Tools::in_folder(folder)).collect();
        choose(found, server).map(|tools| tools.version())
    }

    #[test]
    fn the_one_that_fits_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let folders = ["15.3", "17.1", "17.4", "18.0"].map(|version| fake(&dir.path().join(version), version));
        assert_eq!(found(&folders, 15), Ok(Version { major: 15, minor: 3 }));
        assert_eq!(found(&folders, 16), Ok(Version { major: 17, minor: 4 }));
        let error = found(&folders, 19).unwrap_err().to_string();
        assert!(error.contains("the newest pg_dump here is 18.0") && error.contains("postgresql-client-19"), "{error}");
        assert_eq!(found(&[], 15), Err(NoTools::None { server: 15 }));
    }
}
