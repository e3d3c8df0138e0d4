//! A backup's rows in a database of their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_vault::{Manifest, Progress, Rehearsal, Scope, VaultError};
use testkit::server;
use tokio_util::sync::CancellationToken;

use crate::help::Place;

async fn rehearse<'a>(place: &'a Place, manifest: &Manifest) -> Result<Rehearsal<'a>, VaultError> {
    let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
    place.vault.restore_for_rehearsal(&manifest.id, server().connect(), &progress, &cancel).await
}

/// What the server answers to `sql`.
async fn told(sql: &str) -> String {
    let session = server().session("postgres").await;
    session.batch(sql).await.expect("a query").value(0, 0).unwrap_or_default().to_owned()
}

async fn databases_like(pattern: &str) -> String {
    told(&format!("SELECT count(*) FROM pg_database WHERE datname LIKE '{pattern}'")).await
}

#[tokio::test]
async fn the_rows_are_there_for_who_asked_and_gone_afterwards() {
    let place = Place::new().await;
    let manifest = place.make(Scope::default()).await;
    let rehearsal = rehearse(&place, &manifest).await.unwrap_or_else(|error| panic!("{error}"));
    let name = rehearsal.database().to_owned();
    assert!(name.starts_with("profe_rehearsing_"), "{name}");
    assert_eq!(rehearsal.manifest().id, manifest.id);
    let session = server().session(&name).await;
    let rows = session.batch("SELECT count(*) FROM plans.plans").await.expect("a table");
    assert_eq!(rows.value(0, 0), Some("2000"));
    let open = format!("SELECT has_database_privilege('pg_monitor', '{name}', 'CONNECT')");
    assert_eq!(told(&open).await, "f", "nobody else may read the rows");
    rehearsal.strike().await;
    assert_eq!(databases_like(&name).await, "0");
}

#[tokio::test]
async fn a_role_that_is_gone_is_named_and_not_made_anew() {
    let place = Place::new().await;
    let role = format!("gone_{}", place.db.name().trim_start_matches("test_"));
    place.db.value(&format!("CREATE ROLE {role}; GRANT SELECT ON users.users TO {role}")).await;
    let manifest = place.make(Scope::default()).await;
    place.db.value(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    match rehearse(&place, &manifest).await.map(|_| ()) {
        Err(error @ VaultError::MissingRoles { .. }) => {
            let text = error.to_string();
            assert!(text.contains(&role) && text.contains("profe backup create"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(told(&format!("SELECT count(*) FROM pg_roles WHERE rolname = '{role}'")).await, "0");
    assert_eq!(databases_like(&format!("%{}%", manifest.id.as_str().replace('-', "_"))).await, "0");
}

#[tokio::test]
async fn what_a_dead_process_left_is_swept_by_the_next() {
    let place = Place::new().await;
    let manifest = place.make(Scope::default()).await;
    let left = rehearse(&place, &manifest).await.unwrap_or_else(|error| panic!("{error}"));
    let name = left.database().to_owned();
    // As when its process dies: nothing is dropped, and its sessions end.
    drop(left);
    let claim = format!(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = (hashtext('{name}')::bigint & 4294967295)::oid"
    );
    let give_up = Instant::now() + Duration::from_secs(30);
    while told(&claim).await != "0" {
        assert!(Instant::now() < give_up, "its claim never ended");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    rehearse(&place, &manifest).await.unwrap_or_else(|error| panic!("{error}")).strike().await;
    assert_eq!(databases_like(&name).await, "0");
}
