//! Starting, being ready, breaking, stopping.

use db_migrations_service::operations::{Caller, Master, Operations, Recording, RunOrder};
use db_migrations_service::settings::Settings;
use db_migrations_service::targets::Targets;
use db_migrations_service::{MASTER_PART, STARTUP_PART, Service};
use kernel::Actor;
use postgres_link::ConnectOptions;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::world::{Setup, admin, world, world_with};

#[tokio::test(flavor = "multi_thread")]
async fn ready_only_when_everything_is() {
    let world = world().await;
    let operations =
        Operations::new(world.operations.project().clone(), world.operations.targets().clone(), Recording::First);
    let service = Service::bind(operations, &Settings { port: 0, ..Settings::default() }).await.expect("a free port");
    let (address, readiness, shutdown) = (service.address(), service.readiness(), CancellationToken::new());
    let server = tokio::spawn(service.serve(shutdown.clone()));
    let get = async |path: &str| reqwest::get(format!("http://{address}{path}")).await.expect("an answer");
    assert_eq!(get("/health").await.status(), 200);
    let answer = get("/ready").await;
    assert_eq!(answer.status(), 503);
    let body: serde_json::Value = answer.json().await.expect("JSON");
    assert!(body["missing"].as_array().is_some_and(|missing| missing.contains(&json!(STARTUP_PART))), "{body}");
    readiness.report(STARTUP_PART, true);
    readiness.ready().await;
    assert_eq!(get("/ready").await.status(), 200);
    readiness.report(MASTER_PART, false);
    assert_eq!(get("/ready").await.status(), 503);
    shutdown.cancel();
    server.await.expect("no panic").expect("in good order");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_master_database_it_serves_and_says_so() {
    let away = "postgres://nobody@127.0.0.1:1/x".to_owned();
    let variables = vec![("MIGRATION_SERVICE_MASTER_DB_URL", away)];
    let world = world_with(Setup { variables, ..Setup::default() }).await;
    world.get("/health").await.is(200);
    world.get("/ready").await.is_problem(503, "not_ready");
    world.get("/health/master-database").await.is_problem(503, "master_unavailable");
    world.get("/api/migrations/runs").await.is_problem(503, "master_unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_master_session_is_opened_anew() {
    let world = world().await;
    let killer = admin("postgres").await;
    let sql = format!(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'master{}'",
        world.suffix()
    );
    killer.batch(&sql).await.expect("the superuser may");
    // The session may notice only now; the request after it has a new one.
    let first = world.get("/api/migrations/runs").await.status;
    assert!(first == 200 || first == 503, "{first}");
    world.get("/api/migrations/runs").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_dead_process_are_marked() {
    let world = world().await;
    let body = world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let id = body["migrationId"].as_str().expect("an id").to_owned();
    let master = admin(&format!("master{}", world.suffix())).await;
    let sql = "UPDATE migration_service.run SET state = 'running', finished_at = NULL, report = NULL, process_start = process_start + 1";
    master.batch(sql).await.expect("a table");
    let other =
        Operations::new(world.operations.project().clone(), world.operations.targets().clone(), Recording::First);
    other.master().start().await.expect("the master database answers");
    let caller = Caller::unrestricted(Actor::cli("prueba"));
    let record = other.run(id.parse().expect("a UUID"), &caller).await.expect("it is written down");
    assert_eq!(record.state.as_str(), "interrupted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_database_may_be_a_target() {
    let variables =
        vec![("MIGRATION_SERVICE_MASTER_DB_URL", crate::world::url("postgres").replace("/postgres?", "/master{s}?"))];
    let variables =
        [variables, vec![("DEVELOPMENT_URL", crate::world::url("postgres").replace("/postgres?", "/master{s}?"))]]
            .concat();
    let world = world_with(Setup { variables, ..Setup::default() }).await;
    assert_eq!(world.post("/api/migrations/run", json!({ "wait": true })).await.is(200)["migrationsApplied"], 3);
    world.get("/api/migrations/history").await.is(200);
    assert!(!world.shutdown().is_cancelled());
    world.stop().await.expect("in good order");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_private_cluster_the_master_database_is_made() {
    let world = world().await;
    let private = ConnectOptions::parse_with(&crate::world::url("postgres"), &|_| None).expect("the cluster's own URL");
    let catalogue = world.operations.catalogue();
    let targets = Targets::resolve(catalogue, &Settings::default(), &|_| None, Some(&private)).expect("good targets");
    let masters = [(); 4].map(|()| {
        Operations::new(world.operations.project().clone(), targets.clone(), Recording::First).master().clone()
    });
    // Several processes may start together on an empty cluster.
    for started in futures_util::future::join_all(masters.iter().map(Master::start)).await {
        started.expect("one makes it, the others find it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_records_alongside_and_nothing_where_nothing_was_done() {
    let world = world().await;
    let operations =
        Operations::new(world.operations.project().clone(), world.operations.targets().clone(), Recording::Alongside);
    let caller = Caller::unrestricted(Actor::cli("prueba"));
    let run = operations.start_run(RunOrder::default(), &caller).await.expect("a free target");
    run.finished().await;
    let body = world.get(&format!("/api/migrations/runs/{}", run.id())).await.is(200);
    assert_eq!((&body["status"], &body["actor"]), (&"completed".into(), &"cli:prueba".into()), "{body}");
    let empty = operations.start_run(RunOrder::default(), &caller).await.expect("a free target");
    assert_eq!(empty.record().state.as_str(), "completed");
    world.get(&format!("/api/migrations/runs/{}", empty.id())).await.is_problem(404, "unknown_run");
}
