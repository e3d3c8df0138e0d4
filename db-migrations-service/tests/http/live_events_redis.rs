//! Redis carries the events: to other copies, to other services, and while it dies.

use db_migrations_service::events::{Redis, RedisState};
use postgres_link::AdminConn;
use serde_json::json;

use crate::listening::{Copy, GATE, Listening, SOON, behind, gated, kept, names, redis_is};
use crate::redis_server::RedisServer;
use crate::world::{Setup, World, admin, world_with};

/// Two copies of the service with one Redis, and a database for the gate to stand in.
async fn two_copies(redis: &RedisServer) -> (World, Copy) {
    let variables = vec![("MIGRATION_SERVICE_REDIS_URL", redis.url())];
    let world = world_with(Setup { files: gated(), variables, ..Setup::default() }).await;
    let copy = Copy::of(&world, Some(redis)).await;
    are_connected(&world, &copy).await;
    world.post("/api/migrations/run", json!({ "service": "alumnos-service", "wait": true })).await.is(200);
    (world, copy)
}

async fn are_connected(world: &World, copy: &Copy) {
    redis_is(&world.operations, RedisState::is_connected).await;
    redis_is(&copy.operations, RedisState::is_connected).await;
}

async fn are_without(world: &World, copy: &Copy) {
    redis_is(&world.operations, |state| matches!(state, RedisState::Away(_))).await;
    redis_is(&copy.operations, |state| matches!(state, RedisState::Away(_))).await;
}

/// A run that waits at the gate, and is seen to.
async fn run_to_the_gate(world: &World, gate: &AdminConn) {
    gate.batch(&format!("SELECT pg_advisory_lock({GATE})")).await.expect("nobody has it");
    world.post("/api/migrations/run", json!({ "service": "nada-service" })).await.is(202);
}

async fn open(gate: &AdminConn) {
    gate.batch(&format!("SELECT pg_advisory_unlock({GATE})")).await.expect("it was had");
}

/// The stream has every event that is kept, each once and in order.
async fn has_all(redis: &RedisServer, world: &World) {
    let all = kept(world).await;
    let stream = world.operations.redis().and_then(Redis::stream).expect("it is known by now");
    let entries = redis.entries_up_to(stream, all.last().expect("events").0).await;
    assert_eq!(entries.iter().map(|(id, kind, _)| (*id, kind.clone())).collect::<Vec<_>>(), all);
    for (id, kind, event) in entries {
        assert_eq!((&event["id"], &event["type"]), (&json!(id), &json!(kind)), "{event}");
    }
}

/// Killed when this has been told, and back at once or when the run is over.
const MOMENTS: [(&str, bool); 6] = [
    ("run_started", true),
    ("planned", false),
    ("migration_started", true),
    ("waiting", false),
    ("migration_finished", true),
    ("run_ended", false),
];

#[tokio::test(flavor = "multi_thread")]
async fn killing_redis_at_any_moment_of_a_run_loses_nothing() {
    let mut redis = RedisServer::start();
    let (world, copy) = two_copies(&redis).await;
    assert_eq!(world.get("/health/redis").await.is(200)["status"], "healthy");
    let gate = admin(&format!("dev{}", world.suffix())).await;
    for (moment, is_back_at_once) in MOMENTS {
        let mut there = Listening::at(&world, copy.address, "", None).await;
        run_to_the_gate(&world, &gate).await;
        let is_past_the_gate = matches!(moment, "migration_finished" | "run_ended");
        if is_past_the_gate {
            open(&gate).await;
        }
        let seen = there.until(moment).await.id;
        redis.kill();
        if is_back_at_once {
            redis.restart();
        }
        if !is_past_the_gate {
            there.until("waiting").await;
            open(&gate).await;
        }
        there.until("run_ended").await;
        let all = kept(&world).await;
        assert_eq!(names(&there.heard), all[all.len() - there.heard.len()..], "{moment}: what was told as it happened");
        assert_eq!(there.heard[0].kind, "run_started", "{moment}");
        for (address, last) in [(world.address, seen), (copy.address, 0)] {
            let mut again = Listening::at(&world, address, "", Some(last)).await;
            let after: Vec<_> = all.iter().filter(|(id, _)| *id > last).cloned().collect();
            while again.heard.len() < after.len() {
                assert!(again.read().await, "{moment}");
            }
            assert_eq!(names(&again.heard), after, "{moment}: what Last-Event-ID asks for");
        }
        if !is_back_at_once {
            are_without(&world, &copy).await;
            let answer = world.get("/health/redis").await.is(200);
            assert!(answer["status"] == "away" && answer["reason"].is_string(), "{answer}");
            world.get("/ready").await.is(200);
            redis.restart();
        }
        // Whoever is sooner writes what it has forgotten; the other one finds it there.
        has_all(&redis, &world).await;
        are_connected(&world, &copy).await;
        let back = json!({ "service": "nada-service", "steps": 2, "wait": true });
        world.post("/api/migrations/rollback", back).await.is(200);
    }
    has_all(&redis, &world).await;
    copy.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_holds_up_nobody_and_is_caught_up_with() {
    let redis = RedisServer::start();
    let (world, copy) = two_copies(&redis).await;
    let gate = admin(&format!("dev{}", world.suffix())).await;
    let mut there = Listening::at(&world, copy.address, "", None).await;
    run_to_the_gate(&world, &gate).await;
    there.until("waiting").await;
    redis.hang();
    open(&gate).await;
    let ended = there.until("run_ended").await;
    assert!(behind(&ended) < SOON, "{ended:?}");
    let all = kept(&world).await;
    assert_eq!(names(&there.heard), all[all.len() - there.heard.len()..]);
    are_without(&world, &copy).await;
    assert_eq!(world.get("/health/redis").await.is(200)["status"], "away");
    redis.go_on();
    are_connected(&world, &copy).await;
    world.post("/api/migrations/run", json!({ "service": "cursos-service", "wait": true })).await.is(200);
    has_all(&redis, &world).await;
    copy.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_redis_the_service_starts_and_says_so() {
    let mut redis = RedisServer::start();
    redis.kill();
    let variables = vec![("MIGRATION_SERVICE_REDIS_URL", redis.url())];
    let world = world_with(Setup { variables, ..Setup::default() }).await;
    redis_is(&world.operations, |state| matches!(state, RedisState::Away(_))).await;
    let mut listening = Listening::to(&world, "").await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    listening.until("run_ended").await;
    assert_eq!(world.get("/health/redis").await.is(200)["status"], "away");
    redis.restart();
    redis_is(&world.operations, RedisState::is_connected).await;

    let plain = crate::world::world().await;
    assert_eq!(plain.get("/health/redis").await.is(200)["status"], "not_configured");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_ahead_of_the_master_database_is_left_alone() {
    let redis = RedisServer::start();
    let variables = vec![("MIGRATION_SERVICE_REDIS_URL", redis.url())];
    let world = world_with(Setup { variables, ..Setup::default() }).await;
    redis_is(&world.operations, RedisState::is_connected).await;
    let stream = world.get("/health/redis").await.is(200)["stream"].as_str().expect("a name").to_owned();
    redis.command(&["XADD", &stream, "999999-0", "type", "planned", "event", "{}"]).await;
    // As after a restart: a copy that finds it so.
    let copy = Copy::of(&world, Some(&redis)).await;
    redis_is(&copy.operations, |state| matches!(state, RedisState::Away(_))).await;
    let Some(RedisState::Away(reason)) = copy.operations.redis().map(Redis::state) else { panic!("it is away") };
    assert!(reason.contains(&stream) && reason.contains("delete the stream"), "{reason}");
    copy.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_installations_share_a_redis_and_neither_has_the_other_s_events() {
    let redis = RedisServer::start();
    let setup = || Setup { variables: vec![("MIGRATION_SERVICE_REDIS_URL", redis.url())], ..Setup::default() };
    let (one, other) = (world_with(setup()).await, world_with(setup()).await);
    for world in [&one, &other] {
        redis_is(&world.operations, RedisState::is_connected).await;
    }
    for world in [&one, &other, &one] {
        world.post("/api/seeds/run", json!({ "wait": true })).await;
        world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    }
    for world in [&one, &other] {
        has_all(&redis, world).await;
        redis_is(&world.operations, RedisState::is_connected).await;
    }
}
