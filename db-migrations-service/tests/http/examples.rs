//! The three lines of the platform's inventory, byte for byte.

use reqwest::Method;

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

    let backup = r#"{"service": "auth-service", "description": "Pre-deployment"}"#;
    let body = Answer::of(line(&world, "/api/backup/create", backup)).await.is_problem(501, "not_available_yet");
    assert_eq!(body["capability"], "backups");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_yet_says_so() {
    let world = platform().await;
    for (method, path, capability) in [
        (Method::POST, "/api/schemas/backup", "backups"),
        (Method::POST, "/api/schemas/restore", "backups"),
        (Method::POST, "/api/backup/create", "backups"),
        (Method::GET, "/api/backup/list", "backups"),
        (Method::POST, "/api/backup/restore/b1", "backups"),
        (Method::DELETE, "/api/backup/b1", "backups"),
    ] {
        let body = Answer::of(world.request(method, path)).await.is_problem(501, "not_available_yet");
        assert_eq!(body["capability"], capability, "{path}");
        assert!(body["cure"].is_string(), "{path}");
    }
}
