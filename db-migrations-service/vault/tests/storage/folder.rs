//! What only folders have: rights, links, files of others.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use backup_vault::storage::{Storage, StorageError};
use hyper::body::Bytes;
use testkit::block_on;
use time::{Duration, OffsetDateTime};

use crate::server::{files, open};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

fn storage(path: &std::path::Path) -> Storage {
    open(path.to_str().expect("a path")).expect("the folder can be opened")
}

#[test]
fn only_its_owner_reads_a_backup() {
    block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let made = folder.path().join("new/backups");
        storage(&made);
        assert_eq!((mode(&made), mode(made.parent().expect("a parent"))), (0o700, 0o700));

        // A folder that was there is as its owner wanted it; what is put there is not for others all the same.
        let open_to_all = folder.path().join("old");
        fs::create_dir(&open_to_all).expect("a folder");
        fs::set_permissions(&open_to_all, fs::Permissions::from_mode(0o755)).expect("rights");
        let storage = storage(&open_to_all);
        storage.put_new("b-1/manifest.json", Bytes::from_static(b"x")).await.expect("it is new");
        crate::write(&storage, "b-2/deep/data-1", b"x").await.expect("it is stored");
        for below in ["b-1", "b-2", "b-2/deep"] {
            assert_eq!(mode(&open_to_all.join(below)), 0o700, "{below}");
        }
    });
}

/// The server of the other tests first looks and then writes, which a real one does at once.
#[test]
fn of_many_who_write_the_same_small_object_one_succeeds() {
    block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = storage(folder.path());
        let writers = (0..8).map(|number| {
            let storage = storage.clone();
            async move { storage.put_new("lease", Bytes::from(format!("writer {number}"))).await }
        });
        let outcomes = futures_util::future::join_all(writers).await;
        let succeeded: Vec<usize> = (0..8).filter(|index| outcomes[*index].is_ok()).collect();
        assert_eq!(succeeded.len(), 1, "{outcomes:?}");
        let content = storage.read_small("lease", 100).await.expect("it is read").expect("it is there");
        assert_eq!(content, format!("writer {}", succeeded[0]));
        assert_eq!(files(folder.path()).len(), 1);
    });
}

#[test]
fn a_folder_is_named_by_a_path_or_by_a_url() {
    block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("with space");
        let by_url = format!("file://{}/with%20space", folder.path().display());
        open(&by_url).expect("a URL").put_new("x", Bytes::from_static(b"x")).await.expect("it is new");
        assert_eq!(storage(&path).list("").await.expect("a list").len(), 1);
        assert_eq!(storage(&path).shown(), path.to_str().expect("a path"));
    });
}

#[test]
fn files_of_others_are_left_alone() {
    block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = storage(folder.path());
        storage.put_new("b-1/manifest.json", Bytes::from_static(b"x")).await.expect("it is new");
        let others =
            ["lost+found/#123", "lost+found/data-1#1", ".hidden/x", "with space", "b-1/notes (old).txt", "b-1/#123"];
        for other in others {
            let path = folder.path().join(other);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, "x").expect("a file");
        }
        // Whoever follows this one does not come back.
        std::os::unix::fs::symlink(".", folder.path().join("lost+found/link")).expect("a link");
        let names: Vec<String> = storage.list("").await.expect("a list").into_iter().map(|o| o.path).collect();
        assert_eq!(names, ["b-1/manifest.json"]);
        assert_eq!(storage.folders().await.expect("names"), ["b-1"]);
        let later = OffsetDateTime::now_utc() + Duration::hours(1);
        assert_eq!(storage.sweep(later).await.expect("it is swept"), 0);
        assert_eq!(files(folder.path()).len(), others.len() + 2);
    });
}

#[test]
fn what_is_young_is_not_swept() {
    block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = storage(folder.path());
        fs::create_dir(folder.path().join("b-1")).expect("a folder");
        fs::create_dir(folder.path().join("empty")).expect("a folder");
        fs::write(folder.path().join("b-1/data-1#1"), "x").expect("a file");
        let now = OffsetDateTime::now_utc();
        assert_eq!(storage.sweep(now - Duration::hours(1)).await.expect("it is swept"), 0);
        assert!(folder.path().join("empty").exists());
        assert_eq!(storage.sweep(now + Duration::hours(1)).await.expect("it is swept"), 1);
        assert!(files(folder.path()).is_empty());
        assert!(!folder.path().join("empty").exists());
    });
}

#[test]
fn deleting_takes_what_was_begun_with_it() {
    block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = storage(folder.path());
        storage.put_new("b-1/data-1", Bytes::from_static(b"x")).await.expect("it is new");
        for begun in ["b-1/data-1#1", "b-1/data-10#1"] {
            fs::write(folder.path().join(begun), "x").expect("a file");
        }
        storage.delete("b-1/data-1").await.expect("it is deleted");
        assert_eq!(files(folder.path()).into_iter().collect::<Vec<_>>(), ["b-1/data-10#1"]);
    });
}

#[test]
fn a_byte_that_flips_on_the_disk_is_not_hidden() {
    block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = storage(folder.path());
        let stored = crate::write(&storage, "b-1/data-1", b"abc").await.expect("it is stored");
        fs::write(folder.path().join("b-1/data-1"), b"abd").expect("a file");
        assert_eq!(crate::read(&storage, "b-1/data-1").await, b"abd");
        assert_eq!(storage.list("").await.expect("a list")[0].bytes, stored.bytes);
    });
}

#[test]
fn a_folder_that_cannot_be_had_is_told_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "x").expect("a file");
    let below_file = open(file.join("backups").to_str().expect("a path")).expect_err("it is no folder");
    assert!(matches!(below_file, StorageError::Failed { .. }), "{below_file}");
    assert!(below_file.to_string().contains("Not a directory"), "{below_file}");
    // The kernel lets nobody make folders there, not even root.
    let denied = open("/sys/profe-backups").expect_err("nobody may");
    assert!(matches!(denied, StorageError::Denied { .. }), "{denied}");
    assert!(denied.to_string().contains("/sys/profe-backups"), "{denied}");
}
