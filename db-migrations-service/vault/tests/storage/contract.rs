//! What every storage promises.

use backup_vault::storage::{Storage, StorageError};
use hyper::body::Bytes;
use testkit::block_on;
use time::{Duration, OffsetDateTime};

use crate::azure::{self, Container};
use crate::server::{Server, files, open};
use crate::{MIB, content, read, write};

/// Runs a case on an empty folder, an empty S3 server and an empty container of Azure's. Afterwards there must be nothing but these objects.
fn everywhere<F: Future>(case: impl Fn(Storage) -> F, left: &[&str]) {
    block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/backups");
        case(open(path.to_str().expect("a path")).expect("the folder can be opened")).await;
        let left_there: Vec<String> = files(&path).into_iter().collect();
        assert_eq!(left_there, left, "in the folder");

        let server = Server::start().await;
        case(server.storage()).await;
        let left: Vec<String> = left.iter().map(|name| format!("platform/{name}")).collect();
        server.assert_holds(&left.iter().map(String::as_str).collect::<Vec<_>>());

        let container = Container::new().await;
        case(azure::open(&container.url()).expect("the container can be opened")).await;
        assert_eq!(container.objects().await.into_iter().collect::<Vec<_>>(), left, "in the container");
    });
}

#[test]
fn time_is_the_storage_s_own() {
    everywhere(
        async |storage| {
            let here = OffsetDateTime::now_utc();
            let there = storage.now().await.expect("it can be written");
            assert!((there - here).abs() < Duration::minutes(5), "{there}, and {here} here");
        },
        &[],
    );
}

#[test]
fn objects_of_all_sizes_come_back_as_they_were_written() {
    everywhere(
        async |storage| {
            let sizes = [0, 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 20 * MIB + 7];
            for (index, size) in sizes.into_iter().enumerate() {
                let name = format!("b-1/data-{index}");
                let content = content(size);
                let stored = write(&storage, &name, &content).await.expect("it is stored");
                assert_eq!(stored.bytes, size as u64);
                assert!(read(&storage, &name).await == content, "{size} bytes came back otherwise");
            }
            let listed = storage.list("b-1").await.expect("a list");
            let listed: Vec<(&str, u64)> = listed.iter().map(|object| (object.path.as_str(), object.bytes)).collect();
            let sizes = sizes.map(|size| size as u64);
            assert_eq!(
                listed,
                [
                    ("b-1/data-0", sizes[0]),
                    ("b-1/data-1", sizes[1]),
                    ("b-1/data-2", sizes[2]),
                    ("b-1/data-3", sizes[3]),
                    ("b-1/data-4", sizes[4]),
                    ("b-1/data-5", sizes[5]),
                ]
            );
            storage.delete("b-1").await.expect("it is deleted");
        },
        &[],
    );
}

#[test]
fn the_checksum_is_the_one_of_the_content() {
    everywhere(
        async |storage| {
            let stored = write(&storage, "b-1/abc", b"abc").await.expect("it is stored");
            assert_eq!(stored.sha256[..4], [0xba, 0x78, 0x16, 0xbf]);
            assert_eq!(stored.sha256[28..], [0xf2, 0x00, 0x15, 0xad]);
        },
        &["b-1/abc"],
    );
}

#[test]
fn a_small_object_is_written_once() {
    everywhere(
        async |storage| {
            let (first, second) = (Bytes::from_static(b"first"), Bytes::from_static(b"second"));
            storage.put_new("b-1/manifest.json", first.clone()).await.expect("it is new");
            for again in [second, first.clone()] {
                let refused = storage.put_new("b-1/manifest.json", again).await.expect_err("it is there");
                assert!(matches!(refused, StorageError::AlreadyExists { .. }), "{refused}");
            }
            assert_eq!(storage.read_small("b-1/manifest.json", 5).await.expect("it is read"), Some(first));
            assert_eq!(storage.read_small("b-2/manifest.json", 5).await.expect("it is looked for"), None);
            let large = storage.read_small("b-1/manifest.json", 4).await.expect_err("it is too large");
            assert!(matches!(large, StorageError::Damaged { .. }), "{large}");
        },
        &["b-1/manifest.json"],
    );
}

#[test]
fn nothing_is_seen_of_an_object_before_it_is_whole() {
    everywhere(
        async |storage| {
            let mut upload = storage.upload("b-1/data-1").expect("a name");
            upload.write(content(30 * MIB).into()).await.expect("it is written");
            assert_eq!(storage.list("").await.expect("a list"), []);
            assert!(matches!(storage.read("b-1/data-1").await, Err(StorageError::NotFound { .. })));
            upload.finish().await.expect("it is stored");
            assert_eq!(storage.list("").await.expect("a list").len(), 1);
        },
        &["b-1/data-1"],
    );
}

#[test]
fn what_is_given_up_leaves_nothing() {
    everywhere(
        async |storage| {
            for size in [10, 30 * MIB] {
                let mut upload = storage.upload("b-1/data-1").expect("a name");
                upload.write(content(size).into()).await.expect("it is written");
                upload.abort().await.expect("it is given up");
            }
        },
        &[],
    );
}

#[test]
fn deleting_takes_all_below_a_name_and_nothing_beside_it() {
    everywhere(
        async |storage| {
            for name in ["b-1/manifest.json", "b-1/deep/part", "b-10/manifest.json", "b-2"] {
                storage.put_new(name, Bytes::from_static(b"x")).await.expect("it is new");
            }
            assert_eq!(storage.folders().await.expect("names"), ["b-1", "b-10"]);
            for _ in 0..2 {
                storage.delete("b-1").await.expect("it is deleted");
            }
            storage.delete("b-2").await.expect("it is deleted");
            assert_eq!(storage.folders().await.expect("names"), ["b-10"]);
        },
        &["b-10/manifest.json"],
    );
}

#[test]
fn a_probe_leaves_nothing() {
    everywhere(async |storage| storage.probe().await.expect("it can be used"), &[]);
}

#[test]
fn no_name_leads_out_of_the_storage() {
    everywhere(
        async |storage| {
            for name in ["", "..", "../b", "b/../../c", "/etc/passwd", "b\0", "b#1", "b/%2e%2e/c"] {
                let refusals = [
                    storage.upload(name).map(drop).expect_err(name),
                    storage.put_new(name, Bytes::new()).await.expect_err(name),
                    storage.read(name).await.map(drop).expect_err(name),
                    storage.read_small(name, 1).await.map(drop).expect_err(name),
                    storage.delete(name).await.expect_err(name),
                ];
                for refusal in refusals {
                    assert!(matches!(refusal, StorageError::Name(_)), "{name:?}: {refusal}");
                }
                // Nothing before the first part of a name is what all names begin with.
                let listed = storage.list(name).await;
                assert_eq!(listed.is_ok(), name.is_empty(), "{name:?}");
            }
        },
        &[],
    );
}
