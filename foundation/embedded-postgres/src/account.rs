//! Which account runs PostgreSQL, and whether it gets to its files.
//!
//! `initdb` and `postgres` refuse root. As root they run as `postgres`, or as `nobody` where that does not exist;
//! as anybody else they run as oneself.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::StartError;

/// Somebody else than the one who runs this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    uid: u32,
    gid: u32,
}

/// The account to change to; `None` when no change is needed.
pub(crate) fn choose() -> Result<Option<Account>, StartError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    ["postgres", "nobody"].iter().find_map(|name| in_passwd(&passwd, name)).map(Some).ok_or(StartError::NoAccount)
}

fn in_passwd(passwd: &str, name: &str) -> Option<Account> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    let uid = fields.next()?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Account { name: name.to_owned(), uid, gid })
}

impl Account {
    /// Sets the account on a command; std drops the extra groups by itself.
    pub(crate) fn apply(&self, command: &mut Command) {
        command.gid(self.gid).uid(self.uid);
    }

    pub(crate) fn own(&self, path: &Path) -> Result<(), StartError> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .map_err(StartError::io("change the owner of", path))
    }

    /// Whether it may pass through this folder, by the permission bits.
    pub(crate) fn can_enter(&self, folder: &Path) -> bool {
        fs::metadata(folder).is_ok_and(|meta| {
            let bit = if meta.uid() == self.uid {
                0o100
            } else if meta.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            meta.mode() & bit != 0
        })
    }

    /// Fails on the topmost existing folder above `path` that the account cannot enter.
    pub(crate) fn check_way_to(&self, path: &Path) -> Result<(), StartError> {
        let mut above: Vec<&Path> = path.ancestors().skip(1).filter(|folder| folder.exists()).collect();
        above.reverse();
        match above.into_iter().find(|folder| !self.can_enter(folder)) {
            None => Ok(()),
            Some(blocked) => Err(StartError::Unreachable {
                blocked: blocked.to_owned(),
                path: path.to_owned(),
                account: self.name.clone(),
                suggestion: PathBuf::from("/var/lib/profe"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgres:x:105:110::/var/lib/postgresql:/bin/sh\n";
        let account = in_passwd(passwd, "postgres").expect("it stands there");
        assert_eq!((account.uid, account.gid), (105, 110));
        assert_eq!(in_passwd(passwd, "post"), None);
    }

    #[test]
    fn the_blocking_folder_is_named() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stranger = Account { name: "stranger".into(), uid: 4_000_000, gid: 4_000_000 };
        let inner = folder.path().join("a/b");
        fs::create_dir_all(&inner).expect("made");
        let mode = |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).expect("own folder");
        mode(0o711);
        stranger.check_way_to(&inner.join("data")).expect("all can be entered");
        mode(0o700);
        match stranger.check_way_to(&inner.join("data")) {
            Err(StartError::Unreachable { blocked, .. }) => assert_eq!(blocked, folder.path()),
            other => panic!("{other:?}"),
        }
    }
}
