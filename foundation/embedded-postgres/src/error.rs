//! Why a cluster did not start, each with what to do.

use std::io;
use std::path::{Path, PathBuf};

use crate::binaries::{NotFound, Version};

/// An operator's situation; the text names the cure.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// PostgreSQL is not installed.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// Another process supervises this folder.
    #[error(
        "the database in {folder} is in use by process {pid}; stop that one first (`kill {pid}`), or choose another folder"
    )]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// The process that holds it; 0 if it has not written its number yet.
        pid: i32,
    },
    /// The account that runs PostgreSQL may not pass through a folder.
    #[error(
        "PostgreSQL does not run as root, and its account `{account}` cannot enter {blocked}, which lies above {path}; choose a folder it can reach, for example {suggestion}, or run `chmod o+x {blocked}`"
    )]
    Unreachable {
        /// The folder without permission.
        blocked: PathBuf,
        /// What lies behind it.
        path: PathBuf,
        /// The account.
        account: String,
        /// A data folder that works.
        suggestion: PathBuf,
    },
    /// Running as root without an account to change to.
    #[error(
        "PostgreSQL does not run as root, and this machine has neither an account `postgres` nor `nobody`; run this as another user, or make one with `useradd --system postgres`"
    )]
    NoAccount,
    /// The data was made by another major version.
    #[error(
        "{folder} was made by PostgreSQL {data_major} and only PostgreSQL {found} was found; install version {data_major} (`apt-get install postgresql-{data_major}`), or move the folder away to start with an empty database"
    )]
    OtherVersion {
        /// The data folder.
        folder: PathBuf,
        /// Who made it.
        data_major: u32,
        /// What is here.
        found: Version,
    },
    /// The port asked for is taken.
    #[error("port {port} is taken by another program; stop that one, or choose another port")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// A server of an earlier supervisor has not ended in time.
    #[error("a PostgreSQL server (process {pid}) still runs on {folder}; stop it with `kill -INT {pid}`")]
    StillRunning {
        /// The data folder.
        folder: PathBuf,
        /// The postmaster.
        pid: i32,
    },
    /// A running server's file belongs to another account.
    #[error("the running database's {path} cannot be read: {source}; run this as the user who started it")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The cluster is there without its password.
    #[error(
        "{file} is missing, and without it nobody can sign in to the database in {folder}; put the file back, or move the folder away to start with an empty database"
    )]
    PasswordLost {
        /// Where the password was.
        file: PathBuf,
        /// The data folder.
        folder: PathBuf,
    },
    /// No space left.
    #[error("the disk that holds {folder} is full; free some space and start again ({log})")]
    DiskFull {
        /// The data folder.
        folder: PathBuf,
        /// Last lines of the output.
        log: String,
    },
    /// The cluster could not be made.
    #[error("a new database could not be made in {folder}; initdb said: {log}")]
    InitialiseFailed {
        /// The data folder.
        folder: PathBuf,
        /// Last lines of the output.
        log: String,
    },
    /// The server ended while starting.
    #[error("PostgreSQL did not start on {folder}; {log_file} ends with: {log}")]
    Failed {
        /// The data folder.
        folder: PathBuf,
        /// The whole log.
        log_file: PathBuf,
        /// Its last lines.
        log: String,
    },
    /// The server did not become ready in time.
    #[error("PostgreSQL was not ready after {seconds} s on {folder}; {log_file} ends with: {log}")]
    TooSlow {
        /// The data folder.
        folder: PathBuf,
        /// How long was waited.
        seconds: u64,
        /// The whole log.
        log_file: PathBuf,
        /// Its last lines.
        log: String,
    },
    /// A file or process could not be handled.
    #[error("cannot {doing} {path}: {source}{}", cure_of(source))]
    Io {
        /// For example "create".
        doing: &'static str,
        /// What it was about.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// What helps against a folder that is not ours to use.
fn cure_of(source: &io::Error) -> &'static str {
    use io::ErrorKind as K;
    match source.kind() {
        K::PermissionDenied | K::ReadOnlyFilesystem => {
            "; name a folder that you may write to, for example --data-dir ~/.profe or --data-dir /var/tmp/profe"
        }
        K::AlreadyExists | K::NotADirectory => {
            "; the data directory must be a folder: name another one with --data-dir"
        }
        _ => "",
    }
}

impl StartError {
    /// For `map_err`.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}
