//! Processes that are killed, that may not write more, and that count their memory: each is this program again, told
//! by the environment what to do.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use testkit::block_on;
use time::OffsetDateTime;

use crate::server::{Server, files, open};
use crate::{MIB, content};

const URL: &str = "STORAGE_OF_THIS_TEST";
/// The file that takes what a child has to tell.
const TOLD: &str = "TOLD_BY_THIS_TEST";

fn tell(text: &str) {
    std::fs::write(std::env::var(TOLD).expect("a file"), text).expect("the file");
}

/// Writes without end.
#[test]
#[ignore = "run by the tests of this file, which kill it"]
fn child_that_writes() {
    let piece = hyper::body::Bytes::from(content(MIB));
    block_on(async {
        let storage = open(&std::env::var(URL).expect("a URL")).expect("the storage");
        let mut upload = storage.upload("b-1/data-1").expect("a name");
        loop {
            if let Err(error) = upload.write(piece.clone()).await {
                upload.abort().await.expect("it is given up");
                tell(&error.to_string());
                return;
            }
        }
    });
}

/// Writes and reads 160 MiB, and tells the most memory that it took.
#[test]
#[ignore = "run by memory_is_bounded"]
fn child_that_counts() {
    let piece = hyper::body::Bytes::from(content(MIB));
    block_on(async {
        let storage = open(&std::env::var(URL).expect("a URL")).expect("the storage");
        let mut upload = storage.upload("b-1/data-1").expect("a name");
        for _ in 0..160 {
            upload.write(piece.clone()).await.expect("it is written");
        }
        upload.finish().await.expect("it is stored");
    });
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    tell(most.replace("kB", "").trim());
}

/// This program, for one of the tests above; through a shell that does `first`.
fn child(test: &str, url: &str, first: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{first} exec \"$0\" --ignored --exact --nocapture {test}")]);
    command.arg(std::env::current_exe().expect("this program")).env(URL, url);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn sweep(url: &str) -> u64 {
    let later = OffsetDateTime::now_utc() + Duration::from_hours(1);
    block_on(async { open(url).expect("the storage").sweep(later).await.expect("it is swept") })
}

#[test]
fn a_killed_writer_of_a_folder_leaves_only_what_is_swept() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = folder.path().to_str().expect("a path");
    let mut child = child("killed::child_that_writes", url, "").spawn().expect("a child");
    let written = || std::fs::metadata(folder.path().join("b-1/data-1#1")).map_or(0, |about| about.len());
    while written() < 20 * MIB as u64 {
        assert!(child.try_wait().expect("the child").is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    child.kill().expect("it is killed");
    child.wait().expect("it is gone");
    let seen = block_on(async { open(url).expect("the storage").list("").await.expect("a list") });
    assert_eq!(seen, []);
    assert_eq!(files(folder.path()).len(), 1);
    assert_eq!(sweep(url), 1);
    assert!(!folder.path().join("b-1").exists());
}

#[test]
fn a_killed_writer_of_a_store_leaves_only_what_is_swept() {
    block_on(async {
        let server = Server::start().await;
        let storage = server.storage();
        let mut child = child("killed::child_that_writes", &server.url(), "").spawn().expect("a child");
        server.until(|server| server.whole_parts() > 2).await;
        child.kill().expect("it is killed");
        child.wait().expect("it is gone");
        server.idle().await;
        assert_eq!(storage.list("").await.expect("a list"), []);
        assert_eq!(storage.sweep(OffsetDateTime::now_utc() - Duration::from_hours(1)).await.expect("it is swept"), 0);
        assert!(server.whole_parts() > 2);
        assert_eq!(storage.sweep(OffsetDateTime::now_utc() + Duration::from_hours(1)).await.expect("it is swept"), 1);
        server.assert_holds(&[]);
    });
}

/// The kernel lets the child's files grow to 20 MiB, as a full disk would.
#[test]
fn a_full_folder_is_told_and_nothing_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = folder.path().to_str().expect("a path");
    let limit = format!("trap '' XFSZ; ulimit -f {};", 20 * MIB / 512);
    let told = tempfile::NamedTempFile::new().expect("a file");
    let status = child("killed::child_that_writes", url, &limit).env(TOLD, told.path()).status().expect("a child");
    assert!(status.success());
    let said = std::fs::read_to_string(told.path()).expect("it was told");
    assert!(said.starts_with("could not write b-1/data-1") && said.contains("it is full"), "{said}");
    assert!(files(folder.path()).is_empty());
}

#[test]
fn memory_is_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = folder.path().join("told");
    let most = move |url: &str| -> u64 {
        let status = child("killed::child_that_counts", url, "").env(TOLD, &told).status().expect("a child");
        assert!(status.success());
        std::fs::read_to_string(&told).expect("it was told").parse().expect("a number")
    };
    let in_folder = most(Path::new(folder.path()).join("backups").to_str().expect("a path"));
    let in_store = block_on(async {
        let server = Server::start().await;
        let url = server.url();
        tokio::task::spawn_blocking(move || most(&url)).await.expect("the child is done")
    });
    // 24 MiB of parts, and what the program itself is.
    assert!(in_folder < 64 << 10 && in_store < 64 << 10, "{in_folder} kB in a folder, {in_store} kB in a store");
}
