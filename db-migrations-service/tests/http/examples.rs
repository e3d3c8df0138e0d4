//! The three lines of the platform's inventory, byte for byte.

use reqwest::Method;
use serde_json::json;

use crate::world::{Answer, Setup, World, world_with};

/// A catalogue that has the names of the examples.
async fn platform() -> World {
    let catalogue = r#"
        [project]
        name = "escuela"
        default_environment = "development"
        [environments.development]
        database = "dev{s}"
        [environments.production]
        database = "prod{s}"
        protected = true
        [services.auth-service]
        schemas = ["alumnos{s}", "cursos{s}"]
    "#;
    world_with(Setup { files: vec![("config/services.toml", catalogue)], ..Setup::default() }).await
}

fn line(world: &World, path: &str, body: &'static str) -> reqwest::RequestBuilder {
    world.request(Method::POST, path).header("Content-Type", "application/json").body(body)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_three_lines_work_as_written() {
    let world = platform().await;
    let run = r#"{"service": "auth-service", "environment": "production"}"#;
    let answer = Answer::of(line(&world, "/api/migrations/run", run)).await;
    let body = answer.is(202);
    assert_eq!(body["status"], "running");
    assert_eq!(body["service"], "auth-service");
    assert!(
        body["migrationsApplied"].is_u64() && body["estimatedTime"].as_u64().is_some_and(|seconds| seconds > 0),
        "{body}"
    );
    let id = body["migrationId"].as_str().expect("an id");
    assert_eq!(answer.header("location"), Some(format!("/api/migrations/runs/{id}").as_str()));

    let run = world.operations.live_run(id.parse().expect("a UUID")).expect("it was just started");
    run.finished().await;
    let body = world.get(&format!("/api/migrations/runs/{id}")).await.is(200);
    assert_eq!((&body["status"], &body["migrationsApplied"]), (&"completed".into(), &3.into()), "{body}");

    let body = world.get("/api/migrations/status").await.is(200);
    assert_eq!(body["environment"], "development");
    assert_eq!(body["overallStatus"], "pending");
    let service = &body["services"][0];
    assert_eq!(service["name"], "auth-service");
    assert_eq!(service["status"], "pending");
    assert_eq!((&service["lastMigration"], &service["pendingMigrations"]), (&serde_json::Value::Null, &3.into()));
    let body = world.get("/api/migrations/status?environment=production").await.is(200);
    assert_eq!(body["overallStatus"], "healthy");
    assert_eq!(body["services"][0]["status"], "up_to_date");

    // On the defaults of `profe up` the default environment is migrated.
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let backup = r#"{"service": "auth-service", "description": "Pre-deployment"}"#;
    let answer = Answer::of(line(&world, "/api/backup/create", backup)).await;
    let body = answer.is(202);
    assert_eq!((&body["service"], &body["description"]), (&"auth-service".into(), &"Pre-deployment".into()), "{body}");
    assert!(body["size"].is_u64() && body["createdAt"].is_string() && body["status"].is_string(), "{body}");
    let id = body["backupId"].as_str().expect("an id");
    assert_eq!(answer.header("location"), Some(format!("/api/backup/{id}").as_str()));
    world.operations.backup_job(id).expect("it was just started").finished().await.expect("nothing is in the way");
    let made = world.get(&format!("/api/backup/{id}")).await.is(200);
    assert_eq!(made["status"], "ready", "{made}");
    assert!(made["size"].as_u64().is_some_and(|size| size > 0), "{made}");
}
