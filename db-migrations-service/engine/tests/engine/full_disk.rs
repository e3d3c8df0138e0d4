//! A server whose disk is full: a real one, with a shim under it that answers ENOSPC.

use migration_engine::status::MigrationState;
use migration_engine::{Engine, ErrorCode, Target};
use testkit::faults::{Disk, Full, OwnServer};

use crate::help::{World, all};

#[tokio::test]
async fn a_full_disk_is_one_clear_error_and_nothing_half_applied() {
    let started = tokio::task::spawn_blocking(|| {
        let disk = Disk::new();
        let server = OwnServer::start_on(&disk, &[]);
        (disk, server)
    });
    let (disk, server) = started.await.expect("no panic");
    let w = World::new().await;
    let target =
        Target { environment: "development".to_owned(), connect: server.connect("postgres"), create_database: false };
    let run = || async {
        Engine::new(w.project.open(), target.clone()).prepare_run(all(), w.context()).await.unwrap().execute().await
    };
    w.project.migration("alpha/1_small", "CREATE TABLE alpha.small ();", "DROP TABLE alpha.small;");
    assert!(run().await.error.is_none());

    disk.fill(Full::Data);
    w.project.migration(
        "alpha/2_large",
        "CREATE TABLE alpha.before ();\nCREATE TABLE alpha.large AS SELECT repeat('x', 1000) AS x FROM generate_series(1, 200000);",
        "DROP TABLE alpha.large; DROP TABLE alpha.before;",
    );
    let error = run().await.error.expect("there is no room");
    // Which statement finds the disk full first is the server's affair: a page of the catalog may be the one too many.
    assert_eq!(
        (error.code, error.location.unwrap().file.as_str()),
        (ErrorCode::DiskFull, "migrations/alpha/2_large.up.sql")
    );
    assert_eq!(error.sql.unwrap().sqlstate, "53100");
    assert!(error.cure.unwrap().contains("free space"));
    let session = server.session("postgres").await;
    let tables =
        session.batch("SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'alpha'").await.unwrap();
    assert_eq!(tables.value(0, 0), Some("small"));

    disk.make_room();
    assert!(run().await.error.is_none());
    let status = Engine::new(w.project.open(), target).status().await.unwrap();
    assert_eq!(status.services[0].count(&[MigrationState::Applied]), 2);
}
