//! What a migration costs on the wire and on the disk, counted and not timed.

use std::sync::atomic::Ordering;

use embedded_postgres::{Cluster, ClusterOptions};
use migration_engine::{Engine, Target};
use postgres_link::{AdminConn, ConnectOptions};
use testkit::TestProject;

use crate::help::{World, all};
use crate::proxy;

fn project_of(migrations: usize) -> TestProject {
    let project = TestProject::new();
    for n in 1..=migrations {
        let schema = ["alpha", "beta", "gamma"][n % 3];
        project.migration(
            &format!("{schema}/{n}_create_t{n}"),
            &format!("CREATE TABLE {schema}.t{n} (id int PRIMARY KEY, v text NOT NULL);\nCREATE INDEX t{n}_v ON {schema}.t{n} (v);\nCOMMENT ON TABLE {schema}.t{n} IS 'number {n}';"),
            &format!("DROP TABLE {schema}.t{n};"),
        );
    }
    project
}

/// Round trips to the server and flushes of the log that bringing a fresh database forward by `migrations` takes, and
/// the round trips of the run after it.
async fn cost(cluster: &Cluster, migrations: usize) -> (usize, i64, usize) {
    let direct = ConnectOptions::parse(&cluster.url("postgres")).unwrap();
    let database = format!("cost_{migrations}");
    // A session hands in what it counted at the latest when it ends: the making of the database shall not be counted
    // later, so it has a session of its own, and the watcher writes nothing.
    let maker = postgres_link::connect(&direct).await.unwrap();
    let maker_pid = maker.backend_pid();
    maker.batch(&format!("CREATE DATABASE {database}")).await.unwrap();
    maker.close().await;
    let watcher = postgres_link::connect(&direct).await.unwrap();
    gone(&watcher, &format!("pid = {maker_pid}")).await;
    let flushes = || async {
        watcher.batch("SELECT wal_sync FROM pg_stat_wal").await.unwrap().value(0, 0).unwrap().parse::<i64>().unwrap()
    };
    let proxy = proxy::counting(direct.host_summary()).await;
    let url = cluster.url(&database).replace(&format!(":{}/", cluster.port()), &format!(":{}/", proxy.port));
    let target = Target {
        environment: "development".to_owned(),
        connect: ConnectOptions::parse(&url).unwrap(),
        create_database: false,
    };
    let project = project_of(migrations);
    let engine = Engine::new(project.open(), target);
    let world = World::new().await;
    let run = || async {
        let (trips, flushed) = (proxy.round_trips.load(Ordering::SeqCst), flushes().await);
        let report = engine.prepare_run(all(), world.context()).await.unwrap().execute().await;
        assert!(report.error.is_none(), "{:#?}", report.error);
        gone(&watcher, &format!("datname = '{database}'")).await;
        (report.done.len(), proxy.round_trips.load(Ordering::SeqCst) - trips, flushes().await - flushed)
    };
    let (done, trips, flushed) = run().await;
    assert_eq!(done, migrations);
    let (done, again, _) = run().await;
    assert_eq!(done, 0);
    (trips, flushed, again)
}

/// Until no session is left for which `condition` holds.
async fn gone(watcher: &AdminConn, condition: &str) {
    let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE {condition}");
    while watcher.batch(&sessions).await.unwrap().value(0, 0) != Some("0") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_migration_is_one_round_trip_and_one_flush_and_nothing_pending_is_one_round_trip() {
    let folder = std::env::temp_dir().join(format!("profe-wire-{}", std::process::id()));
    let options = ClusterOptions::new(&folder)
        .setting("wal_writer_delay", "10s")
        .setting("checkpoint_timeout", "1h")
        .setting("autovacuum", "off")
        .setting("bgwriter_lru_maxpages", "0")
        .setting("max_connections", "20");
    let cluster = Cluster::start(&options).unwrap();
    let begun = std::time::Instant::now();
    let (few_trips, few_flushes, again) = cost(&cluster, 20).await;
    let (many_trips, many_flushes, _) = cost(&cluster, 120).await;
    cluster.stop();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(again, 1, "round trips when nothing is pending");
    assert_eq!(many_trips - few_trips, 100, "round trips for a hundred more migrations");
    // The server's own log writer comes by every ten seconds; nothing else flushes here.
    let by_the_server = i64::try_from(begun.elapsed().as_secs() / 10).unwrap() + 1;
    let flushes = many_flushes - few_flushes;
    assert!(
        (100 - by_the_server..=100 + by_the_server).contains(&flushes),
        "{flushes} flushes for a hundred more migrations"
    );
}
