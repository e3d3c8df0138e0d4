//! Everything that can be wrong with a request, and with the world behind the service.

use reqwest::Method;
use serde_json::json;

use crate::world::{Answer, Setup, url, world, world_with};

#[tokio::test(flavor = "multi_thread")]
async fn bodies() {
    let world = world().await;
    let send = async |content_type: &str, body: String| {
        Answer::of(world.request(Method::POST, "/api/migrations/run").header("Content-Type", content_type).body(body))
            .await
    };
    let body = send("application/json", "{\n  \"service\": \n".to_owned()).await.is_problem(400, "malformed_json");
    assert_eq!((&body["line"], &body["column"]), (&3.into(), &0.into()), "{body}");
    let body =
        send("application/json", r#"{"servise": "alumnos-service"}"#.to_owned()).await.is_problem(422, "invalid_body");
    assert_eq!(body["member"], "servise", "{body}");
    send("application/json", r#"{"dryRun": "yes"}"#.to_owned()).await.is_problem(422, "invalid_body");
    send("application/json", "[]".to_owned()).await.is_problem(422, "invalid_body");
    let request = world.request(Method::POST, "/api/migrations/run").header("Content-Type", "application/json");
    Answer::of(request.body(b"{\"service\": \"\xff\"}".to_vec())).await.is_problem(400, "malformed_json");
    send("text/plain", "{}".to_owned()).await.is_problem(415, "unsupported_media_type");
    send("application/x-www-form-urlencoded", "a=b".to_owned()).await.is_problem(415, "unsupported_media_type");
    let long = format!(r#"{{"service": "{}"}}"#, "x".repeat(1 << 20));
    send("application/json", long).await.is_problem(413, "body_too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_paths_and_methods() {
    let world = world().await;
    let body =
        world.post("/api/migrations/run", json!({ "service": "nobody" })).await.is_problem(404, "unknown_service");
    assert!(body["cure"].as_str().is_some_and(|cure| cure.contains("alumnos-service")), "{body}");
    world.post("/api/migrations/run", json!({ "environment": "mars" })).await.is_problem(404, "unknown_environment");
    world.get("/api/migrations/status?environment=mars").await.is_problem(404, "unknown_environment");
    world.get("/api/schemas/nobody").await.is_problem(404, "unknown_service");
    let body =
        world.get("/api/migrations/status?environment=staging").await.is_problem(409, "environment_unconfigured");
    assert!(body["detail"].as_str().is_some_and(|detail| detail.contains("STAGING_URL")), "{body}");
    world.get("/api/migrations/status?enviroment=x").await.is_problem(400, "invalid_query");
    world.get("/api/migrations/runs/not-a-uuid").await.is_problem(400, "invalid_path");
    world.get("/api/nothing").await.is_problem(404, "not_found");
    world.get("/").await.is_problem(404, "not_found");
    let answer = world.get("/api/migrations/run").await;
    answer.is_problem(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("POST"));
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_spoken_to_in_their_language() {
    let world = world().await;
    for (language, message) in [
        ("", "No existe ese servicio."),
        ("de-DE", "No existe ese servicio."),
        ("en-US,en;q=0.9,es;q=0.5", "There is no such service."),
    ] {
        let request = world.request(Method::GET, "/api/schemas/nobody").header("Accept-Language", language);
        assert_eq!(Answer::of(request).await.is_problem(404, "unknown_service")["message"], message, "{language}");
    }
    let request = world.request(Method::GET, "/api/schemas/nobody").header("X-Request-Id", "prueba-1");
    let answer = Answer::of(request).await;
    assert_eq!(answer.header("x-request-id"), Some("prueba-1"));
    assert_eq!(answer.json()["requestId"], "prueba-1");
    let request = world.request(Method::GET, "/api/schemas/nobody").header("X-Request-Id", "a b;c");
    assert_ne!(Answer::of(request).await.header("x-request-id"), Some("a b;c"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_project_is_refused_with_its_place() {
    for (file, text, code) in [
        ("migrations/nada{s}/1_bad.up.sql", "CREATE TABEL x ();", "syntax_error"),
        ("migrations/nada{s}/1_bad.up.sql", "ALTER TABLE nada{s}.ghost ADD COLUMN x int;", "unresolved_reference"),
    ] {
        let files = vec![(file, text), ("migrations/nada{s}/1_bad.down.sql", "SELECT 1;")];
        let world = world_with(Setup { files, ..Setup::default() }).await;
        let body = world.post("/api/migrations/run", json!({ "wait": true })).await.is_problem(422, code);
        assert!(body["location"]["file"].as_str().is_some_and(|file| file.ends_with("1_bad.up.sql")), "{body}");
        // Nothing was run, and the service goes on serving.
        world.get("/health").await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away() {
    let wrong = "postgres://nobody:secreto@127.0.0.1:1/x?connect_timeout=3".to_owned();
    let world = world_with(Setup { variables: vec![("DEVELOPMENT_URL", wrong)], ..Setup::default() }).await;
    for (method, path) in [
        (Method::POST, "/api/migrations/run"),
        (Method::GET, "/api/migrations/status"),
        (Method::GET, "/api/database/health"),
        (Method::GET, "/api/schemas"),
    ] {
        let answer = Answer::of(world.request(method, path)).await;
        let body = answer.is_problem(503, "database_unavailable");
        assert!(body["cure"].is_string() && !answer.text.contains("secreto"), "{path}: {body}");
    }
    let body = world.get("/health/database").await.is(503);
    assert_eq!((&body["status"], &body["targets"][1]["toBeCreated"]), (&"unhealthy".into(), &true.into()), "{body}");
    let body = world.get("/api/migrations/status?environment=all").await.is(200);
    assert_eq!(body["environments"][0]["overallStatus"], "unavailable", "{body}");
    world.post("/api/migrations/run", json!({ "environment": "production", "wait": true })).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_for_the_database() {
    let wrong =
        url("postgres").replacen("postgres:", "nobody:", 1).replace("postgresql://postgres:", "postgresql://nobody:");
    let world = world_with(Setup { variables: vec![("DEVELOPMENT_URL", wrong)], ..Setup::default() }).await;
    world.post("/api/migrations/run", json!({})).await.is_problem(503, "authentication_failed");
}
