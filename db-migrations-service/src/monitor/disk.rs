//! How much room is left where data and backups lie, where that is on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::sample::Figures;

/// A disk answers at once; a network's file system that does not is asked again at the next look.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between the server's start as its lock file has it and as the server tells it, seconds.
const START_MAY_DIFFER: f64 = 60.0;

/// A file system's room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// What is left for those who are not root.
    pub(crate) free_bytes: u64,
    /// All of it.
    pub(crate) size_bytes: u64,
}

/// Asks file systems, and no second time while a first question hangs.
#[derive(Debug, Default)]
pub(super) struct Asker(Option<JoinHandle<Option<Room>>>);

impl Asker {
    pub(super) async fn ask(&mut self, question: impl FnOnce() -> Option<Room> + Send + 'static) -> Option<Room> {
        self.ask_within(PATIENCE, question).await
    }

    async fn ask_within(
        &mut self,
        patience: Duration,
        question: impl FnOnce() -> Option<Room> + Send + 'static,
    ) -> Option<Room> {
        let asked = self.0.get_or_insert_with(|| tokio::task::spawn_blocking(question));
        let answer = tokio::time::timeout(patience, asked).await.ok()?;
        self.0 = None;
        answer.ok().flatten()
    }
}

/// The room of the file system that has this folder; `None` where there is no such folder.
pub(super) fn room(folder: &Path) -> Option<Room> {
    let answer = rustix::fs::statvfs(folder).ok()?;
    Some(Room { free_bytes: answer.f_bavail * answer.f_frsize, size_bytes: answer.f_blocks * answer.f_frsize })
}

/// Where a server's data lies, if that is on this machine. The path alone does not say so: another machine has the same
/// paths. The server's own lock file there does, where its start and its port are those that the server tells.
pub(super) fn data_room(figures: &Figures) -> Option<impl FnOnce() -> Option<Room> + Send + 'static> {
    let folder = PathBuf::from(figures.data_directory.clone()?);
    let (port, started_at_s) = (figures.port?, figures.started_at_s);
    Some(move || {
        let lock_file = fs::read_to_string(folder.join("postmaster.pid")).ok()?;
        is_of(&lock_file, port, started_at_s).then(|| room(&folder)).flatten()
    })
}

/// What is in which line: PostgreSQL's `src/include/utils/pidfile.h`.
fn is_of(lock_file: &str, port: i64, started_at_s: f64) -> bool {
    let number = |line: usize| lock_file.lines().nth(line - 1).and_then(|text| text.trim().parse::<i64>().ok());
    number(4) == Some(port) && number(3).is_some_and(|start| (start as f64 - started_at_s).abs() <= START_MAY_DIFFER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_room_and_a_missing_one_none() {
        let room = room(Path::new("/")).expect("there is a root");
        assert!(room.size_bytes > 0 && room.free_bytes <= room.size_bytes, "{room:?}");
        assert_eq!(super::room(Path::new("/nonexistent/folder")), None);
    }

    #[test]
    fn only_this_server_s_lock_file_will_do() {
        let file = "4711\n/var/lib/postgresql/data\n1700000000\n5432\n/tmp\n";
        assert!(is_of(file, 5432, 1_700_000_000.9));
        assert!(!is_of(file, 5433, 1_700_000_000.9), "another port");
        assert!(!is_of(file, 5432, 1_700_009_000.0), "started at another time");
        assert!(!is_of("", 5432, 1_700_000_000.0));
    }

    #[tokio::test]
    async fn a_question_that_hangs_is_not_asked_again() {
        let (release, hold) = std::sync::mpsc::channel::<()>();
        let mut asker = Asker::default();
        assert_eq!(asker.ask_within(Duration::ZERO, move || hold.recv().ok().and(None)).await, None);
        assert!(asker.0.is_some(), "it hangs");
        release.send(()).expect("somebody waits");
        assert_eq!(asker.ask(|| panic!("asked a second time")).await, None);
        assert!(asker.0.is_none(), "it was answered");
    }
}
