//! `initdb`, so that a half-made cluster is never taken for a whole one.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::process::{Command, Output, Stdio};

use crate::account::Account;
use crate::binaries::Binaries;
use crate::error::StartError;
use crate::folder::Folder;
use crate::log;
use crate::options::ClusterOptions;

/// C.UTF-8 sorts by code point everywhere and knows letters beyond ASCII; old systems only have C.
const LOCALES: [&str; 2] = ["C.UTF-8", "C"];

/// Makes `data/` unless it is there.
pub(crate) fn ensure(
    folder: &Folder,
    binaries: &Binaries,
    options: &ClusterOptions,
    account: Option<&Account>,
) -> Result<(), StartError> {
    let unfinished = folder.unfinished();
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(StartError::io("remove", &unfinished))?;
    }
    if folder.data().exists() {
        return Ok(());
    }
    if let Some(account) = account {
        account.own(&folder.password_file())?;
    }
    let mut said = String::new();
    for locale in LOCALES {
        fs::DirBuilder::new().mode(0o700).create(&unfinished).map_err(StartError::io("create", &unfinished))?;
        if let Some(account) = account {
            account.own(&unfinished)?;
        }
        let output = run(folder, binaries, options, account, locale)?;
        if output.status.success() {
            let data = folder.data();
            return fs::rename(&unfinished, &data).map_err(StartError::io("rename", &unfinished));
        }
        said = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        fs::remove_dir_all(&unfinished).map_err(StartError::io("remove", &unfinished))?;
        if !said.contains("locale") {
            break;
        }
    }
    let (folder, disk_full, log) =
        (folder.root().to_owned(), log::obstacle(&said) == log::Obstacle::DiskFull, log::tail(&said));
    Err(if disk_full { StartError::DiskFull { folder, log } } else { StartError::InitialiseFailed { folder, log } })
}

fn run(
    folder: &Folder,
    binaries: &Binaries,
    options: &ClusterOptions,
    account: Option<&Account>,
    locale: &str,
) -> Result<Output, StartError> {
    let program = binaries.program("initdb");
    let mut command = Command::new(&program);
    command
        .arg("-D")
        .arg(folder.unfinished())
        .args(["-U", &options.superuser, "-E", "UTF8", "-A", "scram-sha-256", "--data-checksums"])
        .arg(format!("--locale={locale}"))
        .arg(format!("--pwfile={}", folder.password_file().display()));
    if !options.fsync {
        command.arg("--no-sync");
    }
    command.env_clear().env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
    if let Some(account) = account {
        account.apply(&mut command);
    }
    command.output().map_err(StartError::io("run", &program))
}
