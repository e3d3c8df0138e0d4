//! A backup that comes back as it was.

use std::sync::Arc;

use backup_vault::{Progress, Scope};
use testkit::server;
use tokio_util::sync::CancellationToken;

use crate::help::{Place, plans};

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_database_comes_back_equal() {
    let place = Place::new().await;
    let manifest = place.make(Scope::default()).await;
    let listed = place.vault.list().await.unwrap();
    assert_eq!(listed.iter().map(|one| one.manifest.as_ref()).collect::<Vec<_>>(), [Ok(&manifest)]);
    let counts: Vec<String> = manifest.tables.iter().map(|t| format!("{} {}", t.name, t.figures.rows)).collect();
    assert_eq!(
        counts,
        [
            "large objects 3",
            "Año 1.t.\"x; \\! echo 3",
            "plans.cache 2",
            "plans.events_1 100",
            "plans.events_2 101",
            "plans.plans 2000",
            "users.users 500"
        ]
    );
    let verified = place.verify(&manifest).await;
    assert_eq!(verified.findings, [] as [&str; 0]);

    // Into a database of its own.
    let name = format!("{}_back", place.db.name());
    let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
    let restored =
        place.vault.restore_into_new(&manifest.id, server().connect(), &name, &progress, &cancel).await.unwrap();
    assert_eq!((restored.database.as_str(), restored.unchecked_keys.len()), (name.as_str(), 0));
    let back = server().session(&name).await;
    for sql in [
        "SELECT nextval('users.s'), last_value FROM plans.plans_id_seq",
        "SELECT count(*), sum(length), sum(ratio) FROM plans.plans",
        "SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_largeobject_metadata",
        "SELECT count(*) FROM plans.titles",
        "SELECT encoding, datcollate, datctype FROM pg_database WHERE datname = current_database()",
    ] {
        let row = back.batch(sql).await.unwrap().statements.remove(0).rows;
        assert_eq!(row, place.db.session().await.batch(sql).await.unwrap().statements.remove(0).rows, "{sql}");
    }
    back.close().await;
    server().session("postgres").await.batch(&format!("DROP DATABASE \"{name}\" WITH (FORCE)")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_alone_comes_back_with_its_keys_to_others() {
    let place = Place::new().await;
    let manifest = place.make(plans()).await;
    assert!(manifest.tables.iter().all(|table| table.name.schema == "plans"));
    assert_eq!(manifest.outside_keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["plans_owner_fkey"]);
    let verified = place.verify(&manifest).await;
    assert_eq!(verified.findings, [] as [&str; 0]);
}
