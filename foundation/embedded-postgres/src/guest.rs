//! Using a server that another process supervises.
//!
//! A guest holds a shared lock on the file `users` for as long as it uses the server. A supervisor that would stop asks
//! for that lock alone, so it knows whether somebody is in, and once it has it nobody gets in any more. The locks end
//! with their processes, even after `kill -9`, so nothing is ever left that would have to be tidied up.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::cluster;
use crate::error::StartError;
use crate::folder::{self, Locked, USERS};
use crate::options::SUPERUSER;

/// A server that runs already; its supervisor waits for this value to be dropped, if it can.
pub struct Guest {
    port: u16,
    password: String,
    _seat: Locked,
}

impl Guest {
    /// Enters the server of this data folder; `None` while there is none that takes sessions.
    ///
    /// # Errors
    /// Files of another account, which cannot be read; a password file that is gone.
    pub fn enter(folder: &Path) -> Result<Option<Self>, StartError> {
        let Some(seat) = existing(folder.join(USERS), |path| File::open(path))? else { return Ok(None) };
        let seat = Locked(seat);
        if flock(&seat.0, FlockOperation::NonBlockingLockShared).is_err() {
            // It is just being stopped.
            return Ok(None);
        }
        let read = |name: &str| existing(folder.join(name), |path| std::fs::read_to_string(path));
        let Some(state) = read("data/postmaster.pid")? else { return Ok(None) };
        // Line 4 is the port, line 8 `ready` once sessions are taken.
        let mut lines = state.lines().map(str::trim);
        let (Some(port), Some("ready")) = (lines.nth(3), lines.nth(3)) else { return Ok(None) };
        let Ok(port) = port.parse() else { return Ok(None) };
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            return Ok(None);
        }
        let password = read("password")?.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let password = password.ok_or_else(|| folder::password_lost(folder))?;
        Ok(Some(Self { port, password, _seat: seat }))
    }

    /// A connection string with the password: for connecting, not for printing.
    pub fn url(&self, database: &str) -> String {
        cluster::url(SUPERUSER, &self.password, self.port, database)
    }
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest").field("port", &self.port).finish_non_exhaustive()
    }
}

fn existing<T>(path: PathBuf, read: impl Fn(&Path) -> std::io::Result<T>) -> Result<Option<T>, StartError> {
    match read(&path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StartError::Foreign { path, source }),
    }
}
