//! Standbys that cannot follow are waited for.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use embedded_postgres::{Binaries, Cluster, ClusterOptions};
use migration_engine::{Engine, Event, Target};
use postgres_link::{AdminConn, ConnectOptions, process_environment};

use super::slugs;
use crate::help::{World, all, names};

/// A server with its data in `folder`.
async fn start(folder: &Path) -> Cluster {
    let options = ClusterOptions::new(folder).unsafe_without_fsync();
    tokio::task::spawn_blocking(move || Cluster::start(&options).expect("a server")).await.expect("no panic")
}

async fn session(cluster: &Cluster, database: &str) -> AdminConn {
    postgres_link::connect(&ConnectOptions::parse(&cluster.url(database)).unwrap()).await.expect("a session")
}

/// A server in `folder` that replays what `primary` writes.
async fn standby(primary: &Cluster, folder: &Path) -> Cluster {
    std::fs::create_dir_all(folder).unwrap();
    // The password is in the data that is copied.
    std::fs::copy(primary.data().with_file_name("password"), folder.join("password")).unwrap();
    let program = Binaries::find(&process_environment).unwrap().folder().join("pg_basebackup");
    let mut copy = Command::new(program);
    let data = folder.join("data");
    copy.arg("--pgdata").arg(&data).args([
        "--write-recovery-conf",
        "--checkpoint=fast",
        "--dbname",
        &primary.url("postgres"),
    ]);
    let output = tokio::task::spawn_blocking(move || copy.output().unwrap()).await.expect("no panic");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let owner = std::fs::metadata(primary.data()).unwrap();
    give(&data, owner.uid(), owner.gid());
    start(folder).await
}

/// Everything below, to whoever runs the server.
fn give(path: &Path, user: u32, group: u32) {
    chown(path, Some(user), Some(group)).unwrap();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), user, group);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_pause_while_a_standby_is_behind() {
    let base = std::env::temp_dir().join(format!("profe-standby-{}", std::process::id()));
    std::fs::create_dir_all(&base).unwrap();
    // The account that runs the servers has to come in.
    std::fs::set_permissions(&base, std::fs::Permissions::from_mode(0o755)).unwrap();
    let primary = start(&base.join("primary")).await;
    let standby = standby(&primary, &base.join("standby")).await;
    let w = World::new().await;
    w.project.migration(
        "alpha/1_plans",
        "CREATE TABLE alpha.plans (id bigint PRIMARY KEY, name text NOT NULL);
         INSERT INTO alpha.plans SELECT g, repeat('Plan ', 20) || g FROM generate_series(1, 30000) g;",
        "DROP TABLE alpha.plans;",
    );
    let connect = ConnectOptions::parse(&primary.url("postgres")).unwrap();
    let target = Target { environment: "development".to_owned(), connect, create_database: false };
    let run = async || {
        let engine = Engine::new(w.project.open(), target.clone());
        engine.prepare_run(all(), w.context()).await.unwrap().execute().await
    };
    assert_eq!(names(&run().await.done), ["alpha/1"]);
    let (here, there) = (session(&primary, "postgres").await, session(&standby, "postgres").await);
    let follows = "SELECT count(*) = 1 AND min(replay_lsn) >= pg_current_wal_lsn() FROM pg_stat_replication";
    while here.batch(follows).await.unwrap().value(0, 0) != Some("t") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    there.batch("SELECT pg_wal_replay_pause()").await.unwrap();
    let catalogue = w.project.read("config/services.toml");
    w.project.write("config/services.toml", &format!("{catalogue}\n[run.backfill]\nmax_lag_mib = 1\nbatch_ms = 10\n"));
    slugs(&w, "-- batch-rows: 10\n");
    // More than a mebibyte that the standby does not replay.
    here.batch("CREATE TABLE public.much AS SELECT g, repeat('x', 100) FROM generate_series(1, 30000) g")
        .await
        .unwrap();
    let catches_up = async {
        while !w.saw(|e| matches!(e, Event::BackfillPaused { why, .. } if why.starts_with("a standby is "))) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        there.batch("SELECT pg_wal_replay_resume()").await.unwrap();
    };
    let (report, ()) = tokio::join!(run(), catches_up);
    assert_eq!(names(&report.done), ["alpha/2"], "{:#?}", report.error);
    drop((here, there, standby, primary));
    std::fs::remove_dir_all(&base).unwrap();
}
