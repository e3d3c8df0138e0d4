//! Everything that can be wrong with a request, and with the world behind the service.

use reqwest::Method;
use serde_json::json;

use crate::world::{Answer, Setup, url, world, world_with};

/// What a caller may send wrongly in a body: to which route, with which status and code, and the words of the problem.
const BODIES: [(&str, &str, u16, &str, &str, &str); 24] = [
    // -- not JSON
    ("/api/migrations/run", "{\n  \"service\": \n", 400, "malformed_json", "ends before", "one whole JSON object"),
    ("/api/migrations/run", "{\"service\": 3", 400, "malformed_json", "ends before", "one whole JSON object"),
    ("/api/migrations/run", "{} {}", 400, "malformed_json", "not JSON", "one whole JSON object"),
    ("/api/migrations/run", "{service: 1}", 400, "malformed_json", "not JSON", "single quotes"),
    ("/api/tokens", "", 400, "malformed_json", "the body is empty", "send a JSON object"),
    // -- not an object
    ("/api/migrations/run", "[]", 422, "invalid_body", "a list, expected an object", "{\"name\": value"),
    ("/api/migrations/run", "[null, null]", 422, "invalid_body", "a list, expected an object", "{\"name\": value"),
    ("/api/migrations/run", "\"all\"", 422, "invalid_body", "\"all\", expected an object", "{\"name\": value"),
    // -- its members
    ("/api/migrations/run", r#"{"service": 3}"#, 422, "invalid_body", "\"service\" is 3, expected a text", "as a text"),
    (
        "/api/migrations/run",
        r#"{"dryRun": "yes"}"#,
        422,
        "invalid_body",
        "\"dryRun\" is \"yes\", expected true or false",
        "as true or false",
    ),
    (
        "/api/migrations/run",
        r#"{"wait": null}"#,
        422,
        "invalid_body",
        "\"wait\" is null, expected true or false",
        "as true or false",
    ),
    ("/api/migrations/run", r#"{"to": ["x"]}"#, 422, "invalid_body", "\"to\" is a list, expected a text", "as a text"),
    (
        "/api/migrations/run",
        r#"{"environment": {"a": 1}}"#,
        422,
        "invalid_body",
        "\"environment\" is an object, expected a text",
        "as a text",
    ),
    (
        "/api/migrations/run",
        r#"{"servise": "x"}"#,
        422,
        "invalid_body",
        "no member \"servise\"",
        "use one of: service, environment, dryRun, to, wait",
    ),
    (
        "/api/migrations/run",
        r#"{"wait": true, "wait": false}"#,
        422,
        "invalid_body",
        "\"wait\" is given twice",
        "give it once",
    ),
    (
        "/api/migrations/rollback",
        r#"{"steps": "2"}"#,
        422,
        "invalid_body",
        "\"steps\" is \"2\", expected a whole number from 0 up",
        "as a whole number",
    ),
    (
        "/api/migrations/rollback",
        r#"{"steps": -1}"#,
        422,
        "invalid_body",
        "\"steps\" is -1, expected a whole number from 0 up",
        "as a whole number",
    ),
    (
        "/api/migrations/rollback",
        r#"{"steps": 1.5}"#,
        422,
        "invalid_body",
        "\"steps\" is 1.5, expected a whole number from 0 up",
        "as a whole number",
    ),
    (
        "/api/seeds/run",
        r#"{"wait": 1}"#,
        422,
        "invalid_body",
        "\"wait\" is 1, expected true or false",
        "as true or false",
    ),
    ("/api/tokens", r#"{"name": "x"}"#, 422, "invalid_body", "\"scopes\" is missing", "add the member \"scopes\""),
    (
        "/api/tokens",
        r#"{"name": "x", "scopes": "read"}"#,
        422,
        "invalid_body",
        "\"scopes\" is \"read\", expected a list",
        "as a list",
    ),
    (
        "/api/tokens",
        r#"{"name": "x", "scopes": ["read", 7]}"#,
        422,
        "invalid_body",
        "\"scopes[1]\" is 7, expected a text",
        "as a text",
    ),
    (
        "/api/tokens",
        r#"{"name": "x", "scopes": ["read"], "expiresAt": "soon"}"#,
        422,
        "invalid_body",
        "\"expiresAt\" is \"soon\", expected a time",
        "2027-01-31T12:00:00Z",
    ),
    (
        "/api/tokens",
        r#"{"name": "x", "scopes": ["read"], "expiresAt": 5}"#,
        422,
        "invalid_body",
        "\"expiresAt\" is 5, expected a time",
        "2027-01-31T12:00:00Z",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn bodies() {
    let world = world().await;
    let send = async |path: &str, content_type: &str, body: Vec<u8>| {
        Answer::of(world.request(Method::POST, path).header("Content-Type", content_type).body(body)).await
    };
    for (path, body, status, code, detail, cure) in BODIES {
        let said = send(path, "application/json", body.into()).await.is_problem(status, code);
        let has = |member: &str, words: &str| said[member].as_str().is_some_and(|text| text.contains(words));
        assert!(has("detail", detail) && has("cure", cure), "{body}: {said}");
        if let Some((_, rest)) =
            detail.split_once('"').filter(|_| code == "invalid_body" && !detail.contains("object\""))
        {
            let name = rest.split('"').next().expect("a name");
            assert!(said["member"] == name || detail.contains("expected an object"), "{body}: {said}");
        }
    }
    let said = send(BODIES[0].0, "application/json", BODIES[0].1.into()).await.json();
    assert_eq!((&said["line"], &said["column"]), (&3.into(), &0.into()), "{said}");

    let said = send("/api/migrations/run", "application/json", b"{\"service\": \"\xff\"}".to_vec()).await;
    let said = said.is_problem(400, "malformed_json");
    assert_eq!(
        (&said["detail"], &said["cure"]),
        (&"the body is not in UTF-8: byte 14 does not fit".into(), &"send it in UTF-8".into())
    );
    for content_type in ["text/plain", "application/x-www-form-urlencoded"] {
        let said = send("/api/migrations/run", content_type, b"{}".to_vec()).await;
        let said = said.is_problem(415, "unsupported_media_type");
        assert_eq!(said["cure"], "send it with Content-Type: application/json");
    }
    for key in [None, Some("k1")] {
        let long = format!(r#"{{"service": "{}"}}"#, "x".repeat(1 << 20));
        let mut request = world.request(Method::POST, "/api/migrations/run").header("Content-Type", "application/json");
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let said = Answer::of(request.body(long)).await.is_problem(413, "body_too_large");
        assert_eq!((&said["limit"], &said["cure"]), (&1_048_576.into(), &"send at most 1048576 bytes".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters() {
    let world = world().await;
    for (path, code, parameter, detail, cure) in [
        (
            "/api/migrations/runs?limit=ten",
            "invalid_query",
            "limit",
            "is \"ten\", expected a whole number from 0 up",
            "as a whole number",
        ),
        (
            "/api/migrations/runs?limit=-5",
            "invalid_query",
            "limit",
            "is \"-5\", expected a whole number from 0 up",
            "as a whole number",
        ),
        (
            "/api/migrations/runs?limit=",
            "invalid_query",
            "limit",
            "is \"\", expected a whole number",
            "as a whole number",
        ),
        (
            "/api/migrations/runs?limit=99999999999",
            "invalid_query",
            "limit",
            "expected a number that is less far",
            "give",
        ),
        (
            "/api/migrations/runs?limit=0",
            "invalid_query",
            "limit",
            "is 0, expected 1 to 200",
            "from 1 to 200, or leave it out",
        ),
        ("/api/migrations/runs?limit=100000", "invalid_query", "limit", "is 100000, expected 1 to 200", "before"),
        ("/api/migrations/history?limit=501", "invalid_query", "limit", "is 501, expected 1 to 500", "before"),
        ("/api/migrations/runs?before=x", "invalid_query", "before", "is \"x\", expected a UUID", "as a UUID such as"),
        ("/api/migrations/runs?status=done", "invalid_query", "status", "\"done\"", "running, completed, failed"),
        (
            "/api/migrations/plan?withSql=ja",
            "invalid_query",
            "withSql",
            "is \"ja\", expected true or false",
            "as true or false",
        ),
        (
            "/api/migrations/status?enviroment=x",
            "invalid_query",
            "enviroment",
            "there is no parameter",
            "use one of: environment",
        ),
        ("/api/migrations/runs?limit=1&limit=2", "invalid_query", "limit", "is given twice", "give it once"),
        (
            "/api/migrations/runs/not-a-uuid",
            "invalid_path",
            "migrationId",
            "is \"not-a-uuid\", expected a UUID",
            "as a UUID such as",
        ),
        (
            "/api/migrations/runs/not-a-uuid/events",
            "invalid_path",
            "migrationId",
            "is \"not-a-uuid\", expected a UUID",
            "as a UUID such as",
        ),
        ("/api/schemas/%FF", "invalid_path", "service", "expected a text in UTF-8", "as a text in UTF-8"),
    ] {
        let said = world.get(path).await.is_problem(400, code);
        let has = |member: &str, words: &str| said[member].as_str().is_some_and(|text| text.contains(words));
        assert!(said["parameter"] == parameter && has("detail", detail) && has("cure", cure), "{path}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_is_the_dashboard_for_anybody() {
    let world =
        world_with(Setup { variables: vec![("MIGRATION_SERVICE_AUTH", "required".to_owned())], ..Setup::default() })
            .await;
    let browser = [
        ("Accept", "text/html"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
    ];
    for headers in [&[("Accept", "*/*")][..], &browser] {
        let mut request = world.request(Method::GET, "/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = Answer::of(request).await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, Some("no-cache")), "{answer:?}");
        assert!(answer.text.starts_with("<!doctype html>"), "{answer:?}");
    }
    let token = world.token(&["read"], &[]).await;
    let page = Answer::of(world.request(Method::GET, "/docs/").bearer_auth(token)).await;
    assert!(page.status == 200 && page.text.contains("swagger-ui"), "{page:?}");
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
    world.get("/api/nothing").await.is_problem(404, "not_found");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_nothing_is_refused_with_what_to_ask_for() {
    let world = world().await;
    for (limit, cure) in [(0, "from 1 to 500"), (501, "ask for less at once")] {
        let problem = world.get(&format!("/api/alerts?limit={limit}")).await.is_problem(400, "invalid_query");
        assert!(problem["cure"].as_str().is_some_and(|text| text.contains(cure)), "{problem}");
    }
}
