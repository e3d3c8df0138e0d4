//! Whole backups on an S3 server and a network that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use backup_vault::storage::{Storage, StorageError};
use backup_vault::{Keys, Progress, Scope, Vault, VaultError};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::help::{Place, plans, request};
use crate::server::{Fault, Server, patience, variables};

fn vault(storage: Storage) -> Vault {
    Vault::new(storage, Keys::default(), Arc::new(|name| std::env::var(name).ok()))
}

async fn place(server: &Server) -> Place {
    let mut place = Place::new().await;
    place.db.value("CREATE TABLE plans.much AS SELECT sha256(g::text::bytea) FROM generate_series(1, 250000) g").await;
    place.vault = vault(server.storage());
    place
}

/// All objects, uploads that were begun and their parts.
fn everything(server: &Server) -> usize {
    server.objects().len() + server.parts().len()
}

/// Each in its turn: an answer that puts off, a connection that ends before and after, an answer that is cut.
#[tokio::test(flavor = "multi_thread")]
async fn a_whole_backup_comes_through_a_store_of_which_each_third_request_fails() {
    const FAULTS: [Fault; 6] = [
        Fault::Answer(500, "InternalError"),
        Fault::Answer(503, "SlowDown"),
        Fault::Answer(429, "TooManyRequests"),
        Fault::Drop,
        Fault::Lose,
        Fault::Cut(1_000),
    ];
    let server = Server::start().await;
    let place = place(&server).await;
    server.plan(|seen| if seen.number % 3 == 2 { FAULTS[seen.number / 3 % FAULTS.len()] } else { Fault::None });
    let manifest = place.make(Scope::default()).await;
    assert_eq!(place.verify(&manifest).await.findings, [] as [&str; 0]);
    let listed = place.vault.list().await.unwrap();
    assert_eq!(listed.iter().map(|one| one.manifest.as_ref()).collect::<Vec<_>>(), [Ok(&manifest)]);
    assert!(server.seen().len() > FAULTS.len() * 3, "each of them was met: {}", server.seen().len());
    server.plan(|_| Fault::None);
    place.vault.delete(&manifest.id).await.unwrap();
    place.vault.storage().sweep(OffsetDateTime::now_utc() + std::time::Duration::from_hours(1)).await.unwrap();
    assert_eq!(everything(&server), 0);
}

/// At every request, one after the other, the store goes and does not come back while the backup is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_goes_away_leaves_nothing_that_is_listed() {
    let server = Server::start().await;
    let place = place(&server).await;
    let whole = place.make(plans()).await;
    let requests = server.seen().len();
    assert!(requests > 6, "{requests}");
    for last in 0..requests {
        server.plan(move |seen| if seen.number >= last { Fault::Drop } else { Fault::None });
        let made = place.try_make(plans()).await;
        let seen = server.seen().len();
        server.plan(|_| Fault::None);
        match made {
            Err(error) => {
                assert!(matches!(error, VaultError::Storage(StorageError::Unreachable { .. })), "{last}: {error:?}");
                assert!(error.to_string().ends_with("check its address and that it is up"), "{error}");
            }
            // It needed fewer this time.
            Ok(_) => assert!(seen <= last, "{seen} of {last}"),
        }
        // Where the manifest stood before the store went, the backup is whole, whatever its maker could hear of it.
        for listed in place.vault.list().await.unwrap().into_iter().filter(|one| one.id != whole.id) {
            assert!(last + 2 >= requests, "{last} of {requests}: {listed:?}");
            assert!(place.verify(&listed.manifest.unwrap()).await.holds());
            place.vault.delete(&listed.id).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_know_us_gets_nothing() {
    let server = Server::start().await;
    let mut place = place(&server).await;
    for (name, value) in [("AWS_SECRET_ACCESS_KEY", "another-secret"), ("AWS_ACCESS_KEY_ID", "nobody")] {
        let wrong = |asked: &str| if asked == name { Some(value.to_owned()) } else { variables(asked) };
        place.vault = vault(Storage::open_with(&server.url(), &wrong, patience()).unwrap());
        let error = place.try_make(plans()).await.unwrap_err();
        assert!(matches!(error, VaultError::Storage(StorageError::Denied { .. })), "{error:?}");
        assert!(!error.to_string().contains("another-secret"), "{error}");
        assert!(matches!(place.vault.list().await, Err(VaultError::Storage(StorageError::Denied { .. }))));
    }
    assert_eq!(everything(&server), 0);
}

/// What the store loses while it is read back says nothing against the backup.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_goes_away_during_a_verification_is_no_finding() {
    let server = Server::start().await;
    let place = place(&server).await;
    let manifest = place.make(plans()).await;
    server.plan(|seen| if seen.path.contains("/data-1.") { Fault::Drop } else { Fault::None });
    let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
    let error = place.vault.verify(&manifest.id, testkit::server().connect(), &progress, &cancel).await.unwrap_err();
    assert!(matches!(error, VaultError::Storage(StorageError::Unreachable { .. })), "{error:?}");
    server.plan(|_| Fault::None);
    assert!(place.verify(&manifest).await.holds());
    // One byte that arrives otherwise is none that was stored otherwise, and is found all the same.
    server.plan(|seen| if seen.path.contains("/data-1.") { Fault::Flip(100) } else { Fault::None });
    let findings = place.verify(&manifest).await.findings;
    assert!(findings.len() == 1 && findings[0].contains("is not what was stored"), "{findings:?}");
    let request = request(plans());
    let made = place.vault.make(place.db.connect(), request, &progress, &cancel).await;
    assert!(made.is_err(), "what was written is read back");
    server.plan(|_| Fault::None);
    assert_eq!(place.vault.list().await.unwrap().len(), 1);
}

/// The store takes the manifest and is not heard of again: nobody can say whether it did.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_goes_away_with_the_manifest_leaves_a_backup_that_is_whole() {
    let server = Server::start().await;
    let place = place(&server).await;
    server.plan({
        let gone = AtomicBool::new(false);
        move |seen| match seen.is_put() && seen.path.ends_with("manifest.json") {
            _ if gone.load(Ordering::SeqCst) => Fault::Drop,
            true => {
                gone.store(true, Ordering::SeqCst);
                Fault::Lose
            }
            false => Fault::None,
        }
    });
    let error = place.try_make(plans()).await.unwrap_err();
    assert!(error.is_in_doubt(), "{error}");
    server.plan(|_| Fault::None);
    let listed = place.vault.list().await.unwrap();
    let [one] = listed.as_slice() else { panic!("{listed:?}") };
    let manifest = one.manifest.clone().expect("a manifest");
    assert_eq!(place.verify(&manifest).await.findings, [] as [&str; 0]);
    // What goes away before is no such case.
    server.plan(|seen| if seen.number > 3 { Fault::Drop } else { Fault::None });
    let error = place.try_make(plans()).await.unwrap_err();
    assert!(!error.is_in_doubt(), "{error}");
}
