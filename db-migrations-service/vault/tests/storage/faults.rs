//! A server and a network that fail: what is told is true, and what is stored is whole or gone.

use std::time::Duration;

use backup_vault::storage::{Patience, Storage, StorageError};
use http::Method;
use hyper::body::Bytes;
use testkit::block_on;
use time::OffsetDateTime;

use crate::server::{Fault, Seen, Server, patience, variables};
use crate::{MIB, content, read, write};

const NAME: &str = "b-1/data-1";
const KEY_OF_NAME: &str = "platform/b-1/data-1";

/// Each third request fails in one way: an upload and a reading come through it whole.
#[test]
fn each_third_request_fails_and_nothing_is_lost() {
    let faults = [
        Fault::Answer(500, "InternalError"),
        Fault::Answer(503, "SlowDown"),
        Fault::Answer(429, "TooManyRequests"),
        Fault::Drop,
        Fault::Lose,
        Fault::Cut(100_000),
    ];
    block_on(async {
        let content = content(30 * MIB);
        for fault in faults {
            let server = Server::start().await;
            let storage = server.storage();
            server.plan(move |seen| if seen.number % 3 == 2 { fault } else { Fault::None });
            let stored = write(&storage, NAME, &content).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
            assert_eq!(stored.bytes, content.len() as u64);
            storage.put_new("b-1/manifest.json", Bytes::from_static(b"{}")).await.expect("it is new");
            assert!(read(&storage, NAME).await == content, "{fault:?}: it came back otherwise");
            assert_eq!(storage.list("").await.expect("a list").len(), 2);
            server.plan(|_| Fault::None);
            storage.sweep(OffsetDateTime::now_utc() + Duration::from_hours(1)).await.expect("it is swept");
            server.assert_holds(&[KEY_OF_NAME, "platform/b-1/manifest.json"]);
        }
    });
}

/// The answer to the completion is lost, and the repetition hears that there is no such upload.
#[test]
fn a_lost_answer_to_the_completion_is_no_failure() {
    block_on(async {
        let server = Server::start().await;
        let storage = server.storage();
        server.plan(|seen| if seen.is_completion() { Fault::Lose } else { Fault::None });
        write(&storage, NAME, &content(20 * MIB)).await.expect("it stands there");
        server.assert_holds(&[KEY_OF_NAME]);
    });
}

/// A small object whose answer is lost is found to be ours, and no longer new for the next.
#[test]
fn a_lost_answer_to_a_new_object_is_no_failure() {
    block_on(async {
        let server = Server::start().await;
        let storage = server.storage();
        server.plan(|seen| if seen.number == 0 { Fault::Lose } else { Fault::None });
        storage.put_new("lease", Bytes::from_static(b"ours")).await.expect("it is ours");
        server.plan(|seen| if seen.number == 0 { Fault::Lose } else { Fault::None });
        let refused = storage.put_new("lease", Bytes::from_static(b"theirs")).await.expect_err("it is taken");
        assert!(matches!(refused, StorageError::AlreadyExists { .. }), "{refused}");
        server.assert_holds(&["platform/lease"]);
    });
}

/// The storage fails for good from the nth request of an upload on, until the upload has given up.
#[test]
fn a_storage_that_is_lost_in_the_middle_leaves_no_half_object() {
    block_on(async {
        let content = content(30 * MIB);
        let server = Server::start().await;
        let storage = server.storage();
        write(&storage, NAME, &content).await.expect("it is stored");
        let requests = server.seen().len();
        assert!(requests >= 8, "{requests} requests");
        storage.delete("b-1").await.expect("it is deleted");
        for lost in 0..requests {
            server
                .plan(move |seen| if seen.number >= lost { Fault::Answer(500, "InternalError") } else { Fault::None });
            let outcome = write(&storage, NAME, &content).await;
            server.plan(|_| Fault::None);
            if let Err(error) = outcome {
                assert!(matches!(error, StorageError::Unreachable { .. }), "{lost}: {error}");
            }
            // What stands there is whole: what could not be removed is what was completed.
            for object in storage.list("").await.expect("a list") {
                assert!(read(&storage, &object.path).await == content, "{lost}: half an object");
            }
            storage.sweep(OffsetDateTime::now_utc() + Duration::from_hours(1)).await.expect("it is swept");
            storage.delete("b-1").await.expect("it is deleted");
            // There may be an upload that was begun and could not be marked: it has no parts.
            assert_eq!((server.objects().len(), server.whole_parts()), (0, 0), "{lost}");
        }
    });
}

/// Only the nth request fails, and cannot be repeated: the upload fails and cleans up by itself.
#[test]
fn what_an_upload_fails_at_it_cleans_up() {
    type Which = fn(&Seen) -> bool;
    let cases: [(&str, Which); 4] = [
        ("the beginning", |seen| seen.method == Method::POST && seen.query.contains("uploads")),
        ("the mark", |seen| seen.is_put() && seen.path.ends_with("%23upload")),
        ("a part", |seen| seen.is_part() && seen.query.contains("partNumber=3")),
        ("the completion", Seen::is_completion),
    ];
    block_on(async {
        for (what, which) in cases {
            let server = Server::start().await;
            let storage = server.storage();
            server.plan(move |seen| if which(seen) { Fault::Answer(403, "AccessDenied") } else { Fault::None });
            let error = write(&storage, NAME, &content(30 * MIB)).await.expect_err(what);
            assert!(matches!(error, StorageError::Denied { .. }), "{what}: {error}");
            server.assert_holds(&[]);
        }
    });
}

#[test]
fn a_storage_that_is_full_says_so_and_keeps_nothing() {
    block_on(async {
        for (status, code) in [(507, "InsufficientStorage"), (400, "EntityTooLarge"), (403, "QuotaExceeded")] {
            let server = Server::start().await;
            let storage = server.storage();
            let full = move |seen: &Seen| seen.is_part() && !seen.query.contains("partNumber=1");
            server.plan(move |seen| if full(seen) { Fault::Answer(status, code) } else { Fault::None });
            let error = write(&storage, NAME, &content(30 * MIB)).await.expect_err("it is full");
            assert!(matches!(error, StorageError::Full { .. }), "{error}");
            server.assert_holds(&[]);
        }
    });
}

#[test]
fn a_byte_that_comes_back_otherwise_is_found() {
    block_on(async {
        let server = Server::start().await;
        let storage = server.storage();
        for size in [100, 20 * MIB] {
            server.plan(move |seen| if seen.is_get() { Fault::Flip(size / 2) } else { Fault::None });
            let error = write(&storage, NAME, &content(size)).await.expect_err("it is damaged");
            assert!(matches!(error, StorageError::Damaged { .. }), "{error}");
            server.assert_holds(&[]);
        }
        server.plan(move |seen| if seen.is_get() { Fault::Flip(50) } else { Fault::None });
        let error = storage.put_new("lease", content(100).into()).await.expect_err("it is damaged");
        assert!(matches!(error, StorageError::Damaged { .. }), "{error}");
        server.assert_holds(&[]);
    });
}

/// Every answer is cut: each reading goes on where the last one ended, for as long as there is progress.
#[test]
fn a_reading_goes_on_where_it_was_cut() {
    block_on(async {
        let server = Server::start().await;
        let storage = server.storage();
        let content = content(12 * MIB);
        write(&storage, NAME, &content).await.expect("it is stored");
        server.plan(|seen| if seen.is_get() { Fault::Cut(MIB) } else { Fault::None });
        assert!(read(&storage, NAME).await == content, "it came back otherwise");
        let gets = server.seen().len();
        assert!(gets >= 12, "{gets} requests");
    });
}

#[test]
fn a_reading_without_progress_ends() {
    block_on(async {
        let server = Server::start().await;
        let storage = server.storage();
        write(&storage, NAME, &content(4 * MIB)).await.expect("it is stored");
        // More than what the server holds back, so that the answer begins.
        server.plan(|seen| if seen.number == 0 { Fault::Cut(2 * MIB) } else { Fault::Cut(0) });
        let mut reading = storage.read(NAME).await.expect("it begins");
        let error = loop {
            match reading.next().await {
                Ok(piece) => assert!(piece.is_some(), "it came to an end"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StorageError::Unreachable { .. }), "{error:?}");
        assert!(server.seen().len() < 40, "{} requests", server.seen().len());
    });
}

#[test]
fn an_object_that_is_replaced_under_a_reading_is_not_mixed() {
    block_on(async {
        let server = Server::start().await;
        let storage = server.storage();
        write(&storage, NAME, &vec![1; 8 * MIB]).await.expect("it is stored");
        server.plan(|seen| if seen.number == 0 { Fault::Cut(2 * MIB) } else { Fault::None });
        let mut reading = storage.read(NAME).await.expect("it begins");
        let mut found = reading.next().await.expect("it is read").expect("it is not empty").to_vec();
        write(&storage, NAME, &vec![2; 8 * MIB]).await.expect("it is stored");
        let error = loop {
            match reading.next().await {
                Ok(piece) => found.extend_from_slice(&piece.expect("it came to an end")),
                Err(error) => break error,
            }
        };
        assert!(found.iter().all(|byte| *byte == 1), "two objects in one");
        assert!(error.to_string().contains("replaced while it was read"), "{error}");
    });
}

#[test]
fn a_server_that_falls_silent_is_left() {
    block_on(async {
        let server = Server::start().await;
        let short = Patience { tries: 2, silence: Duration::from_millis(200), ..patience() };
        let storage = Storage::open_with(&server.url(), &variables, short).expect("the storage");
        server.plan(|_| Fault::Stall);
        let error = write(&storage, NAME, &content(10)).await.expect_err("there is no answer");
        assert!(matches!(error, StorageError::Unreachable { .. }), "{error:?}");
        let error = storage.read(NAME).await.map(drop).expect_err("there is no answer");
        assert!(matches!(error, StorageError::Unreachable { .. }), "{error:?}");
    });
}

#[test]
fn a_dropped_upload_is_taken_back_by_itself() {
    block_on(async {
        let server = Server::start().await;
        let mut upload = server.storage().upload(NAME).expect("a name");
        upload.write(content(30 * MIB).into()).await.expect("it is written");
        assert!(!server.objects().is_empty());
        drop(upload);
        server.until(|server| server.objects().is_empty() && server.parts().is_empty()).await;
        server.idle().await;
        server.assert_holds(&[]);
    });
}

#[test]
fn deleting_ends_the_uploads_below() {
    block_on(async {
        let server = Server::start().await;
        let storage = server.storage();
        let mut upload = storage.upload(NAME).expect("a name");
        upload.write(content(30 * MIB).into()).await.expect("it is written");
        server.until(|server| server.whole_parts() == 3).await;
        server.idle().await;
        storage.delete("b-1").await.expect("it is deleted");
        server.assert_holds(&[]);
        upload.finish().await.expect_err("there is nothing to complete");
        assert_eq!((server.objects().len(), server.whole_parts()), (0, 0));
    });
}
