//! The data folder: what lies in it, and that only one supervisor uses it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::account::Account;
use crate::error::StartError;

/// 192 bits, written as hexadecimal digits so that the password needs no quoting anywhere.
const PASSWORD_BYTES: usize = 24;
/// A log that is longer when a server starts is put aside.
const LOG_LIMIT_BYTES: u64 = 8 << 20;

/// Locked by everybody who uses the server, see [`crate::guest`].
pub(crate) const USERS: &str = "users";

/// A data folder held by this process; the lock ends with the value, and with the process.
pub(crate) struct Folder {
    root: PathBuf,
    users: Locked,
    _lock: Locked,
}

impl Folder {
    /// Makes the folder if needed and takes its lock.
    pub(crate) fn open(root: &Path, account: Option<&Account>) -> Result<Self, StartError> {
        let root = std::path::absolute(root).map_err(StartError::io("find", root))?;
        if let Some(account) = account {
            account.check_way_to(&root)?;
        }
        let existed = root.exists();
        fs::DirBuilder::new().recursive(true).mode(0o755).create(&root).map_err(StartError::io("create", &root))?;
        let root = root.canonicalize().map_err(StartError::io("find", &root))?;
        if let Some(account) = account {
            account.check_way_to(&root)?;
            if !account.can_enter(&root) {
                make_enterable(&root, existed, account)?;
            }
        }
        let lock = lock(&root)?;
        let users = Locked(open_shared(&root.join(USERS))?);
        Ok(Self { root, users, _lock: lock })
    }

    /// False while somebody uses the server.
    pub(crate) fn close_to_guests(&self) -> bool {
        flock(&self.users.0, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// A cluster in the making; only a finished one is called `data`.
    pub(crate) fn unfinished(&self) -> PathBuf {
        self.root.join("data.tmp")
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    pub(crate) fn password_file(&self) -> PathBuf {
        self.root.join("password")
    }

    /// The major version that made the data; `None` before the first start.
    pub(crate) fn data_major(&self) -> Option<u32> {
        fs::read_to_string(self.data().join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    /// The superuser's password; made for a cluster that is not made yet.
    pub(crate) fn password(&self) -> Result<String, StartError> {
        let path = self.password_file();
        match fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(StartError::io("read", &path)(error)),
        }
        if self.data().exists() {
            return Err(password_lost(&self.root));
        }
        let mut bytes = [0_u8; PASSWORD_BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|error| StartError::io("make a password for", &path)(std::io::Error::other(error)))?;
        let password = hexadecimal(&bytes);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .map_err(StartError::io("create", &path))?;
        writeln!(file, "{password}").map_err(StartError::io("write", &path))?;
        Ok(password)
    }

    /// The port of the last run.
    pub(crate) fn last_port(&self) -> Option<u16> {
        fs::read_to_string(self.root.join("port")).ok()?.trim().parse().ok()
    }

    pub(crate) fn remember_port(&self, port: u16) -> Result<(), StartError> {
        let path = self.root.join("port");
        fs::write(&path, format!("{port}\n")).map_err(StartError::io("write", &path))
    }

    /// The log, opened at its end.
    pub(crate) fn open_log(&self) -> Result<File, StartError> {
        let path = self.log_file();
        if fs::metadata(&path).is_ok_and(|meta| meta.len() > LOG_LIMIT_BYTES) {
            fs::rename(&path, self.root.join("postgres.log.old")).map_err(StartError::io("put aside", &path))?;
        }
        OpenOptions::new().create(true).append(true).mode(0o640).open(&path).map_err(StartError::io("open", &path))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        text
    })
}

/// The folder itself is ours to give away, but never one that holds somebody else's files.
fn make_enterable(root: &Path, existed: bool, account: &Account) -> Result<(), StartError> {
    let mut entries = fs::read_dir(root).map_err(StartError::io("read", root))?;
    let ours = !existed || root.join("lock").exists() || entries.next().is_none();
    if ours { account.own(root) } else { account.check_way_to(&root.join("data")) }
}

/// The data is there, and what opens it is not.
pub(crate) fn password_lost(root: &Path) -> StartError {
    StartError::PasswordLost { file: root.join("password"), folder: root.to_owned() }
}

/// A file that is locked, or may be. It is unlocked, not only closed: a process that another thread is just starting holds
/// copies of all files until it has become its program, and with them their locks.
pub(crate) struct Locked(pub File);

impl Drop for Locked {
    fn drop(&mut self) {
        // Without it the lock ends a moment later.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// A file to be locked, which others may open too.
fn open_shared(path: &Path) -> Result<File, StartError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o644);
    options.open(path).map_err(StartError::io("open", path))
}

/// flock ends with the process that holds it, even after `kill -9`, so a lock is never stale. The number in the file
/// is only for the error of the second one.
fn lock(root: &Path) -> Result<Locked, StartError> {
    let path = root.join("lock");
    let mut file = Locked(open_shared(&path)?);
    if flock(&file.0, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut text = String::new();
        // Without the number the sentence is still right.
        let _ = file.0.read_to_string(&mut text);
        return Err(StartError::InUse { folder: root.to_owned(), pid: text.trim().parse().unwrap_or(0) });
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    write(&mut file.0).map_err(StartError::io("write", &path))?;
    Ok(file)
}
