//! A server whose disk is full: a real one, with a shim under it that answers ENOSPC.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use embedded_postgres::{Binaries, Cluster, ClusterOptions};
use migration_engine::status::MigrationState;
use migration_engine::{Engine, ErrorCode, Target};
use postgres_link::{ConnectOptions, process_environment};

use crate::help::{World, all};

/// A folder of server programs in which `postgres` runs over the shim.
fn programs(folder: &Path, flag: &Path) -> Binaries {
    let real = Binaries::find(&process_environment).unwrap();
    let shim = folder.join("enospc.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine/enospc.c");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&shim, Path::new(source)])
        .arg("-ldl")
        .status()
        .unwrap();
    assert!(compiled.success());
    for entry in std::fs::read_dir(real.folder()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "postgres" {
            std::os::unix::fs::symlink(entry.path(), folder.join(entry.file_name())).unwrap();
        }
    }
    let wrapper = folder.join("postgres");
    let script = format!(
        "#!/bin/sh\nFULL_DISK_FLAG='{}' LD_PRELOAD='{}' exec '{}' \"$@\"\n",
        flag.display(),
        shim.display(),
        real.folder().join("postgres").display()
    );
    std::fs::write(&wrapper, script).unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
    Binaries::in_folder(folder).unwrap()
}

#[tokio::test]
async fn a_full_disk_is_one_clear_error_and_nothing_half_applied() {
    let base = std::env::temp_dir().join(format!("profe-full-disk-{}", std::process::id()));
    let (bin, flag) = (base.join("bin"), base.join("full"));
    std::fs::create_dir_all(&bin).unwrap();
    let options = ClusterOptions { binaries: Some(programs(&bin, &flag)), ..ClusterOptions::new(base.join("cluster")) };
    let cluster = Cluster::start(&options.unsafe_without_fsync()).unwrap();
    let w = World::new().await;
    let target = Target {
        environment: "development".to_owned(),
        connect: ConnectOptions::parse(&cluster.url("postgres")).unwrap(),
        create_database: false,
    };
    let run = || async {
        Engine::new(w.project.open(), target.clone()).prepare_run(all(), w.context()).await.unwrap().execute().await
    };
    w.project.migration("alpha/1_small", "CREATE TABLE alpha.small ();", "DROP TABLE alpha.small;");
    assert!(run().await.error.is_none());

    std::fs::write(&flag, "").unwrap();
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
    let session = postgres_link::connect(&target.connect).await.unwrap();
    let tables =
        session.batch("SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'alpha'").await.unwrap();
    assert_eq!(tables.value(0, 0), Some("small"));

    std::fs::remove_file(&flag).unwrap();
    assert!(run().await.error.is_none());
    let status = Engine::new(w.project.open(), target).status().await.unwrap();
    assert_eq!(status.services[0].count(&[MigrationState::Applied]), 2);
    drop(session);
    cluster.stop();
    std::fs::remove_dir_all(&base).unwrap();
}
