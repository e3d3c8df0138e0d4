//! Standbys that cannot follow are waited for.

use std::time::Duration;

use migration_engine::{Engine, Event, Target};
use testkit::faults::OwnServer;

use super::slugs;
use crate::help::{World, all, names};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_pause_while_a_standby_is_behind() {
    let servers = tokio::task::spawn_blocking(|| {
        let primary = OwnServer::start(&[]);
        let standby = primary.standby();
        (primary, standby)
    });
    let (primary, standby) = servers.await.expect("no panic");
    let w = World::new().await;
    w.project.migration(
        "alpha/1_plans",
        "CREATE TABLE alpha.plans (id bigint PRIMARY KEY, name text NOT NULL);
         INSERT INTO alpha.plans SELECT g, repeat('Plan ', 20) || g FROM generate_series(1, 30000) g;",
        "DROP TABLE alpha.plans;",
    );
    let connect = primary.connect("postgres");
    let target = Target { environment: "development".to_owned(), connect, create_database: false };
    let run = async || {
        let engine = Engine::new(w.project.open(), target.clone());
        engine.prepare_run(all(), w.context()).await.unwrap().execute().await
    };
    assert_eq!(names(&run().await.done), ["alpha/1"]);
    let (here, there) = (primary.session("postgres").await, standby.session("postgres").await);
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
}
