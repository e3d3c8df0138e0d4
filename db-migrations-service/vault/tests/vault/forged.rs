//! Manifests that somebody wrote by hand, with a checksum that fits; and files that are not what they were.

use std::fs;
use std::sync::Arc;

use backup_vault::{Keys, Manifest, Progress, VaultError};
use sha2::{Digest, Sha256};
use testkit::server;
use tokio_util::sync::CancellationToken;

use crate::help::{Place, keys, left, objects, plans, vault};

/// What is forged of a manifest.
type Edit = fn(&mut Manifest);

/// Writes it as if it had been so from the beginning.
fn forge(place: &Place, manifest: &Manifest, edit: impl FnOnce(&mut Manifest)) {
    let mut forged = manifest.clone();
    edit(&mut forged);
    forged.sha256 = String::new();
    let digest = Sha256::digest(serde_json::to_vec(&forged).unwrap());
    forged.sha256 = digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let file = place.folder.path().join(manifest.id.as_str()).join("manifest.json");
    fs::write(file, serde_json::to_vec(&forged).unwrap()).unwrap();
}

async fn restore(place: &Place, manifest: &Manifest) -> VaultError {
    let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
    let name = format!("{}_back", place.db.name());
    let restored = place.vault.restore_into_new(&manifest.id, server().connect(), &name, &progress, &cancel).await;
    let there = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
    assert_eq!(place.db.value(&there).await.as_deref(), Some("0"));
    restored.unwrap_err()
}

async fn refused(place: &Place, manifest: &Manifest) -> VaultError {
    let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
    place.vault.verify(&manifest.id, server().connect(), &progress, &cancel).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_newer_server_is_refused_and_no_finding() {
    let place = Place::new().await;
    let manifest = place.make(plans()).await;
    let here = manifest.server_version_num / 10_000;
    forge(&place, &manifest, |manifest| manifest.server_version_num = 990_000);
    let said = format!(
        "backup {} is of PostgreSQL 99, and this server is {here}: a newer server's backup may not fit an older one; restore it on 99 or newer",
        manifest.id
    );
    assert_eq!(restore(&place, &manifest).await.to_string(), said);
    assert_eq!(refused(&place, &manifest).await.to_string(), said);
    // Made of an old server, by programs that are newer than those here.
    forge(&place, &manifest, |manifest| manifest.pg_dump = "99.1".to_owned());
    let error = restore(&place, &manifest).await;
    let said = error.to_string();
    assert!(matches!(error, VaultError::OlderTools { .. }), "{error:?}");
    assert!(said.contains("pg_dump 99") && said.contains("postgresql-client-99"), "{said}");
    forge(&place, &manifest, |manifest| manifest.format = 99);
    assert!(
        restore(&place, &manifest)
            .await
            .to_string()
            .contains("format 99, which this release does not read; use a newer one")
    );
    assert_eq!(left(&manifest).await.as_deref(), Some("0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_says_what_is_not_so_is_found_out() {
    let place = Place::new().await;
    let manifest = place.make(plans()).await;
    let edits: [(&str, Edit); 8] = [
        ("plans.plans has 2000 rows, and had 1999", |m| rows_of(m, "plans").rows = 1999),
        ("plans.events_1 holds other rows", |m| rows_of(m, "events_1").checksum += 1),
        ("schema plans came back with other definitions", |m| {
            m.fingerprint = m.fingerprint.replace(|c: char| c.is_ascii_digit(), "0");
            m.schemas.insert("plans".to_owned(), m.fingerprint.clone());
        }),
        ("schema elsewhere did not come back", |m| {
            m.fingerprint = m.fingerprint.replace(|c: char| c.is_ascii_digit(), "0");
            m.schemas.insert("elsewhere".to_owned(), m.fingerprint.clone());
        }),
        ("a part is missing from its manifest", |m| m.parts.retain(|part| part.name != "roles")),
        ("plans.plans has 0 rows, and had 2000", |m| m.parts.retain(|part| part.name != "data-1")),
        ("roles.000 is not what was stored", |m| {
            let object = m.parts[0].segments[0].object.clone();
            m.parts[1].segments[0].object = object;
        }),
        ("cannot name an object", |m| m.parts[1].segments[0].object = "../../other/schema.000".to_owned()),
    ];
    for (said, edit) in edits {
        forge(&place, &manifest, edit);
        let findings = place.verify(&manifest).await.findings;
        assert!(findings.iter().any(|finding| finding.contains(said)), "{said}: {findings:?}");
    }
    forge(&place, &manifest, |_| {});
    assert!(place.verify(&manifest).await.holds());
    assert_eq!(left(&manifest).await.as_deref(), Some("0"));
}

fn rows_of<'a>(manifest: &'a mut Manifest, table: &str) -> &'a mut backup_vault::archive::Figures {
    let found = manifest.tables.iter_mut().find(|one| one.name.name == table);
    &mut found.expect("the table").figures
}

/// Large enough that what is wrong at the beginning is met before the end has been read.
#[tokio::test(flavor = "multi_thread")]
async fn a_byte_that_is_flipped_anywhere_is_told_as_that() {
    let mut place = Place::new().await;
    place.db.value("CREATE TABLE plans.much AS SELECT sha256(g::text::bytea) FROM generate_series(1, 60000) g").await;
    let (public, secret) = keys();
    let url = place.folder.path().to_str().unwrap().to_owned();
    let sealed = Keys::parse(&public, &secret).unwrap();
    for (round, keys, places) in [("plain", Keys::default(), &[0, 1, 5][..]), ("encrypted", sealed, &[3])] {
        place.vault = vault(&url, keys);
        let manifest = place.make(plans()).await;
        assert_eq!(manifest.recipients.is_empty(), round == "plain");
        for file in objects(&place, &manifest) {
            let sound = fs::read(&file).unwrap();
            for at in places.iter().map(|fifths| (sound.len() - 1) * fifths / 5) {
                let mut flipped = sound.clone();
                flipped[at] ^= 1;
                fs::write(&file, &flipped).unwrap();
                let findings = place.verify(&manifest).await.findings;
                let name = file.file_name().unwrap().to_str().unwrap();
                let said = format!("backup {}: {name} is not what was stored; it cannot be restored", manifest.id);
                assert_eq!(findings, std::slice::from_ref(&said), "{round}: byte {at} of {}", sound.len());
                if round == "encrypted" {
                    assert_eq!(restore(&place, &manifest).await.to_string(), said);
                }
            }
            if round == "encrypted" {
                fs::remove_file(&file).unwrap();
                let findings = place.verify(&manifest).await.findings;
                assert!(findings.len() == 1 && findings[0].contains("there is no"), "{findings:?}");
            }
            fs::write(&file, &sound).unwrap();
        }
        assert!(place.verify(&manifest).await.holds());
        assert_eq!(left(&manifest).await.as_deref(), Some("0"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_key_nothing_is_begun() {
    let mut place = Place::new().await;
    let (public, secret) = keys();
    let url = place.folder.path().to_str().unwrap().to_owned();
    place.vault = vault(&url, Keys::parse(&public, &secret).unwrap());
    let manifest = place.make(plans()).await;
    let said = format!(
        "backup {} is encrypted to {public} and none of the configured identities is one of them; set MIGRATION_SERVICE_BACKUP_IDENTITY_FILE to the key's file",
        manifest.id
    );
    for without in [String::new(), keys().1] {
        place.vault = vault(&url, Keys::parse("", &without).unwrap());
        assert_eq!(restore(&place, &manifest).await.to_string(), said);
        assert_eq!(refused(&place, &manifest).await.to_string(), said);
    }
    // Whoever says that it is not encrypted has it read as if it were not.
    forge(&place, &manifest, |manifest| manifest.recipients.clear());
    let findings = place.verify(&manifest).await.findings;
    assert!(findings.len() == 1 && findings[0].contains("cannot be restored"), "{findings:?}");
    assert_eq!(left(&manifest).await.as_deref(), Some("0"));
}
