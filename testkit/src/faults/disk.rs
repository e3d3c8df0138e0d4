//! A server's disk that is full when a test says so.
//!
//! The real server over a shim that answers ENOSPC: it needs no right to mount anything, and the server meets what a full
//! disk gives it, at the calls that give it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use embedded_postgres::Binaries;
use postgres_link::process_environment;

/// Where the shim looks, and what it fills up.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/faults/no_room.c");

/// What has no room any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Tables and indexes; the log of changes is on a disk of its own.
    Data,
    /// The log of changes alone.
    Wal,
}

/// A disk for a server of its own.
pub struct Disk {
    folder: tempfile::TempDir,
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}

impl Disk {
    /// With room. Needs a C compiler, as the build does.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
        let shim = build(Path::new(SOURCE), folder.path());
        let real = Binaries::find(&process_environment).expect("PostgreSQL's server programs are installed");
        let programs = folder.path().join("bin");
        std::fs::create_dir(&programs).expect("a folder");
        for entry in std::fs::read_dir(real.folder()).expect("a folder").map_while(Result::ok) {
            if entry.file_name() != "postgres" {
                std::os::unix::fs::symlink(entry.path(), programs.join(entry.file_name())).expect("a link");
            }
        }
        let wrapper = programs.join("postgres");
        let script = format!(
            "#!/bin/sh\nNO_ROOM_FOLDER='{}' LD_PRELOAD='{}' exec '{}' \"$@\"\n",
            folder.path().display(),
            shim.display(),
            real.folder().join("postgres").display()
        );
        std::fs::write(&wrapper, script).expect("a file");
        std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
        Self { folder }
    }

    pub(super) fn programs(&self) -> Binaries {
        Binaries::in_folder(&self.folder.path().join("bin")).expect("they were put there")
    }

    /// From now on nothing more can be written there.
    pub fn fill(&self, what: Full) {
        std::fs::write(self.flag(what), "").expect("a file");
    }

    /// There is room again.
    pub fn make_room(&self) {
        for what in [Full::Data, Full::Wal] {
            // It may have been empty.
            let _ = std::fs::remove_file(self.flag(what));
        }
    }

    fn flag(&self, what: Full) -> PathBuf {
        self.folder.path().join(if what == Full::Data { "data-is-full" } else { "wal-is-full" })
    }
}

/// Compiles a shim for LD_PRELOAD into `folder`.
pub(super) fn build(source: &Path, folder: &Path) -> PathBuf {
    let name = source.file_stem().expect("a file").to_string_lossy();
    let shim = folder.join(format!("{name}.so"));
    let compiled = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()))
        .args(["-shared", "-fPIC", "-Wall", "-o"])
        .args([&shim, source])
        .arg("-ldl")
        .status();
    assert!(compiled.expect("a C compiler is installed").success(), "{} does not compile", source.display());
    shim
}
