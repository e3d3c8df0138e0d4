//! `initdb`, so that a half-made cluster is never taken for a whole one.

use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::Signal;

use crate::account::Account;
use crate::binaries::Binaries;
use crate::error::StartError;
use crate::folder::Folder;
use crate::log;
use crate::options::ClusterOptions;

/// C.UTF-8 sorts by code point everywhere and knows letters beyond ASCII; old systems only have C.
const LOCALES: [&str; 2] = ["C.UTF-8", "C"];

/// Removes what an interrupted making left. What it had started may still be writing for a moment.
fn clear(unfinished: &Path) -> Result<(), StartError> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match fs::remove_dir_all(unfinished) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(20));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            result => return result.map_err(StartError::io("remove", unfinished)),
        }
    }
}

/// Makes `data/` unless it is there.
pub(crate) fn ensure(
    folder: &Folder,
    binaries: &Binaries,
    options: &ClusterOptions,
    account: Option<&Account>,
) -> Result<(), StartError> {
    let unfinished = folder.unfinished();
    if unfinished.exists() {
        clear(&unfinished)?;
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
    // Whoever stops this process while a cluster is being made stops the making, too.
    crate::postmaster::die_with_parent(&mut command, Signal::KILL);
    command.output().map_err(StartError::io("run", &program))
}
