//! The wall clock of one program, set forward and back while it runs.

use std::path::Path;
use std::process::Command;

use super::disk::build;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/faults/wrong_clock.c");

/// A clock that goes right until it is set.
pub struct Clock {
    folder: tempfile::TempDir,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// One that goes right. Needs a C compiler, as the build does.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        build(Path::new(SOURCE), folder.path());
        let clock = Self { folder };
        clock.jump(0);
        clock
    }

    /// Has a program look at this clock.
    pub fn of<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("LD_PRELOAD", self.folder.path().join("wrong_clock.so"));
        command.env("WRONG_CLOCK", self.folder.path().join("ahead"))
    }

    /// Sets it so many seconds before or behind the time of day.
    pub fn jump(&self, ahead_s: i64) {
        let (file, new) = (self.folder.path().join("ahead"), self.folder.path().join("new"));
        std::fs::write(&new, ahead_s.to_string()).expect("a file");
        std::fs::rename(new, file).expect("a file");
    }
}
