//! Who may call what.

use std::collections::BTreeMap;

use db_migrations_service::operations::{Caller, Operations, Recording, TokenOrder};
use kernel::Actor;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, Setup, World, admin, world, world_with};

const SCOPES: [&str; 8] = ["read", "release", "migrate", "rollback", "seed", "backup", "restore", "admin"];

async fn strict() -> World {
    world_with(Setup { variables: vec![("MIGRATION_SERVICE_AUTH", "required".to_owned())], ..Setup::default() }).await
}

fn words(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Every operation of the document with the scopes any one of which it asks for.
fn operations() -> BTreeMap<(String, String), Vec<String>> {
    let document: Value = serde_json::from_str(&db_migrations_service::openapi_document()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths").clone();
    paths
        .into_iter()
        .flat_map(|(path, item)| {
            let item = item.as_object().expect("operations").clone();
            item.into_iter().map(move |(method, operation)| {
                ((method.to_uppercase(), path.clone()), words(&operation["x-accepted-scopes"]))
            })
        })
        .collect()
}

async fn call(world: &World, method: &str, path: &str, token: Option<&str>) -> Answer {
    let path = path.replace("{migrationId}", "00000000-0000-7000-8000-000000000000");
    let path = path
        .replace("{name}", "nobody")
        .replace("{service}", "nobody")
        .replace("{backupId}", "b1")
        .replace("{id}", "t1");
    let mut request = world.request(Method::from_bytes(method.as_bytes()).expect("a method"), &path);
    if method == "POST" {
        // Nothing that a route would do.
        request = request.json(&json!({ "service": "nobody", "unknown": true }));
    }
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if path == "/api/events" {
        // It has no end that could be waited for; whoever may listen is answered at once.
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status(), response.headers().clone());
        let text = if status.is_success() { String::new() } else { response.text().await.expect("a whole answer") };
        return Answer { status, headers, text };
    }
    Answer::of(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_strangers_and_wrong_scopes() {
    let world = strict().await;
    let mut tokens = BTreeMap::new();
    for scope in SCOPES {
        tokens.insert(scope, world.token(&[scope], &[]).await);
    }
    let stranger = format!("profe_aaaaaaaa_{}", "A".repeat(43));
    let all = operations();
    assert!(all.len() > 35, "the document has the whole API: {}", all.len());
    for ((method, path), accepted) in &all {
        if path == "/api/session" && method != "GET" {
            continue; // signing in and out, which `session` is about
        }
        let Some(needed) = accepted.first() else {
            assert!(["/health", "/ready"].contains(&path.as_str()), "{method} {path} asks for no scope");
            call(&world, method, path, None).await.is(200);
            continue;
        };
        let answer = call(&world, method, path, None).await;
        answer.is_problem(401, "unauthenticated");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"profe\""), "{method} {path}");
        call(&world, method, path, Some(&stranger)).await.is_problem(401, "invalid_token");
        for scope in SCOPES {
            let answer = call(&world, method, path, Some(&tokens[scope])).await;
            if accepted.iter().any(|word| word == scope) {
                assert!(!matches!(answer.status.as_u16(), 401 | 403), "{scope} for {method} {path}: {answer:?}");
            } else {
                assert_eq!(
                    answer.is_problem(403, "insufficient_scope")["scope"],
                    *needed,
                    "{scope} for {method} {path}"
                );
            }
        }
    }
    for path in ["/docs/", "/openapi.json"] {
        call(&world, "GET", path, None).await.is_problem(401, "unauthenticated");
        call(&world, "GET", path, Some(&tokens["seed"])).await.is_problem(403, "insufficient_scope");
        assert_eq!(call(&world, "GET", path, Some(&tokens["read"])).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_refused_even_on_loopback() {
    let world = world().await;
    let path = "/api/migrations/status";
    world.get(path).await.is(200);
    call(&world, "GET", path, Some("profe_x")).await.is_problem(401, "invalid_token");
    Answer::of(world.request(Method::GET, path).header("Authorization", "Basic eDp5"))
        .await
        .is_problem(401, "invalid_token");
    // A proxy on this machine passes on what comes from elsewhere.
    for header in ["X-Forwarded-For", "Forwarded", "Via"] {
        Answer::of(world.request(Method::GET, path).header(header, "203.0.113.9"))
            .await
            .is_problem(401, "unauthenticated");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_listed_used_and_taken_back() {
    let world = strict().await;
    let admin_token = world.token(&["admin"], &[]).await;
    let body = json!({ "name": "despliegue", "scopes": ["read", "migrate"], "services": ["alumnos-service"] });
    let made =
        Answer::of(world.request(Method::POST, "/api/tokens").bearer_auth(&admin_token).json(&body)).await.is(201);
    let (token, id) = (made["token"].as_str().expect("a token"), made["id"].as_str().expect("an id"));
    assert!(token.starts_with(&format!("profe_{id}_")), "{made}");

    let answer = call(&world, "GET", "/api/tokens", Some(&admin_token)).await;
    assert_eq!(answer.is(200)["total"], 2);
    let secret = token.splitn(3, '_').nth(2).expect("a secret");
    assert!(!answer.text.contains(secret), "the list shows no secret");
    let stored = admin(&format!("master{}", world.suffix())).await;
    let row = stored.batch("SELECT string_agg(t::text, '') FROM migration_service.api_token t").await.expect("a table");
    assert!(!row.value(0, 0).expect("rows").contains(secret), "only its hash is kept");

    call(&world, "GET", "/api/migrations/status", Some(token)).await.is(200);
    call(&world, "DELETE", &format!("/api/tokens/{id}"), Some(&admin_token)).await.is(200);
    call(&world, "GET", "/api/migrations/status", Some(token)).await.is_problem(401, "invalid_token");
    call(&world, "DELETE", "/api/tokens/nothing1", Some(&admin_token)).await.is_problem(404, "unknown_token");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_refused() {
    let world = strict().await;
    let token = world.token(&["read"], &[]).await;
    let stored = admin(&format!("master{}", world.suffix())).await;
    stored.batch("UPDATE migration_service.api_token SET expires_at = now()").await.expect("a table");
    call(&world, "GET", "/api/migrations/status", Some(&token)).await.is_problem(401, "invalid_token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_reaches_its_services_only() {
    let world = strict().await;
    let token = world.token(&["read", "migrate", "seed"], &["cursos-service"]).await;
    let post = async |path: &str, body: Value| {
        Answer::of(world.request(Method::POST, path).bearer_auth(&token).json(&body)).await
    };
    let get = async |path: &str| Answer::of(world.request(Method::GET, path).bearer_auth(&token)).await;
    post("/api/migrations/run", json!({})).await.is_problem(403, "service_not_allowed");
    post("/api/migrations/service/alumnos-service/run", json!({})).await.is_problem(403, "service_not_allowed");
    post("/api/seeds/run", json!({})).await.is_problem(403, "service_not_allowed");
    get("/api/schemas/alumnos-service").await.is_problem(403, "service_not_allowed");
    // What it needs of the other service is not its to run …
    let body = json!({ "service": "cursos-service", "wait": true });
    post("/api/migrations/run", body.clone()).await.is_problem(403, "service_not_allowed");
    // … and once that is there it is enough.
    let all = world.token(&["migrate"], &[]).await;
    let request = world.request(Method::POST, "/api/migrations/service/alumnos-service/run").bearer_auth(&all);
    Answer::of(request.json(&json!({ "wait": true }))).await.is(200);
    post("/api/migrations/run", body).await.is(200);

    let status = get("/api/migrations/status").await.is(200);
    assert_eq!(status["services"].as_array().map(Vec::len), Some(1), "{status}");
    let runs = get("/api/migrations/runs").await.is(200);
    assert_eq!((&runs["total"], &runs["runs"][0]["service"]), (&1.into(), &"cursos-service".into()), "{runs}");
    let history = get("/api/migrations/history").await.is(200);
    assert_eq!((&history["total"], history["history"].as_array().map(Vec::len)), (&1.into(), Some(1)), "{history}");
    assert_eq!(history["history"][0]["appliedBy"], "token:read migrate seed cursos-service");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_orders_for_tokens() {
    let world = world().await;
    for body in [
        json!({ "name": " ", "scopes": ["read"] }),
        json!({ "name": "x", "scopes": [] }),
        json!({ "name": "x", "scopes": ["everything"] }),
        json!({ "name": "x", "scopes": ["read"], "expiresAt": "2020-01-01T00:00:00Z" }),
    ] {
        world.post("/api/tokens", body).await.is_problem(422, "invalid_request");
    }
    world
        .post("/api/tokens", json!({ "name": "x", "scopes": ["read"], "services": ["nobody"] }))
        .await
        .is_problem(404, "unknown_service");
    world.post("/api/tokens", json!({ "name": "x" })).await.is_problem(422, "invalid_body");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_start_a_run_may_follow_it_and_no_other() {
    let world = strict().await;
    let everything = world.token(&["migrate"], &[]).await;
    let start = |token: &str, path: &str, body: Value| {
        Answer::of(world.request(Method::POST, path).bearer_auth(token).json(&body))
    };
    let of_all = start(&everything, "/api/migrations/run", json!({ "wait": true })).await.is(200);
    for (scope, path, body) in [
        ("migrate", "/api/migrations/run", json!({ "service": "alumnos-service", "wait": true })),
        ("seed", "/api/seeds/run", json!({ "service": "alumnos-service" })),
        ("rollback", "/api/migrations/rollback", json!({ "service": "alumnos-service", "steps": 1, "wait": true })),
    ] {
        let token = world.token(&[scope], &["alumnos-service"]).await;
        let own = start(&token, path, body).await.is(200);
        let at = |run: &Value| format!("/api/migrations/runs/{}", run["migrationId"].as_str().expect("an id"));
        let seen = call(&world, "GET", &at(&own), Some(&token)).await.is(200);
        assert_eq!((&seen["migrationId"], &seen["status"]), (&own["migrationId"], &"completed".into()), "{seen}");
        let events = call(&world, "GET", &format!("{}/events", at(&own)), Some(&token)).await;
        assert!(events.status == 200 && events.text.contains("event: end"), "{events:?}");
        // Not those of other services, nor anything else that is there to be read.
        call(&world, "GET", &at(&of_all), Some(&token)).await.is_problem(403, "service_not_allowed");
        for path in ["/api/migrations/runs", "/api/migrations/status", "/api/migrations/history", "/api/schemas"] {
            let said = call(&world, "GET", path, Some(&token)).await.is_problem(403, "insufficient_scope");
            assert_eq!(said["scope"], "read", "{scope} for {path}");
        }
    }
    let backup = world.token(&["backup"], &[]).await;
    let path = format!("/api/migrations/runs/{}", of_all["migrationId"].as_str().expect("an id"));
    let said = call(&world, "GET", &path, Some(&backup)).await.is_problem(403, "insufficient_scope");
    assert_eq!(said["cure"], "use a token with the scope read or migrate or rollback or seed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usable_token_has_its_name_alone() {
    let world = world().await;
    let order = json!({ "name": "despliegue", "scopes": ["read"] });
    let first = world.post("/api/tokens", order.clone()).await.is(201);
    let padded = json!({ "name": " despliegue ", "scopes": ["admin"] });
    for body in [&order, &padded] {
        let said = world.post("/api/tokens", body.clone()).await.is_problem(409, "token_name_taken");
        assert!(said["detail"].as_str().is_some_and(|detail| detail.contains("\"despliegue\"")), "{said}");
    }
    let id = first["id"].as_str().expect("an id");
    Answer::of(world.request(Method::DELETE, &format!("/api/tokens/{id}"))).await.is(200);
    let second = world.post("/api/tokens", order.clone()).await.is(201);
    assert_ne!(second["id"], first["id"]);
    let master = admin(&format!("master{}", world.suffix())).await;
    master.batch("UPDATE migration_service.api_token SET expires_at = now()").await.expect("a table");
    world.post("/api/tokens", order.clone()).await.is(201);

    // Names that were given twice before this rule hinder nothing but a third.
    master
        .batch("UPDATE migration_service.api_token SET name = 'doble', expires_at = NULL, revoked_at = NULL")
        .await
        .expect("a table");
    world.operations.master().start().await.expect("it starts");
    world.post("/api/tokens", json!({ "name": "doble", "scopes": ["read"] })).await.is_problem(409, "token_name_taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_tokens_made_at_the_same_moment_at_most_one_has_the_name() {
    let world = world().await;
    let name = format!("master{}", world.suffix());
    let (holder, watcher) = (admin(&name).await, admin(&name).await);
    // Both have looked whether the name is free, and wait with their rows in hand.
    let gate = "CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS \
                $$BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NEW; END$$; \
                CREATE TRIGGER gate BEFORE INSERT ON migration_service.api_token FOR EACH ROW EXECUTE FUNCTION gate(); \
                SELECT pg_advisory_lock(7)";
    holder.batch(gate).await.expect("the superuser may");
    let making: Vec<_> = (0..2)
        .map(|_| {
            let (project, targets) = (world.operations.project().clone(), world.operations.targets().clone());
            let other = Operations::new(project, targets, Recording::First);
            let order =
                TokenOrder { name: "a la vez".to_owned(), scopes: vec!["read".to_owned()], ..TokenOrder::default() };
            tokio::spawn(async move { other.create_token(order, &Caller::unrestricted(Actor::cli("prueba"))).await })
        })
        .collect();
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while watcher.batch(waiting).await.expect("a catalog").value(0, 0) != Some("2") {
        tokio::task::yield_now().await;
    }
    holder.close().await;
    let mut made = 0;
    for making in making {
        match making.await.expect("no panic") {
            Ok(_) => made += 1,
            Err(error) => assert!(error.to_string().contains("already"), "{error}"),
        }
    }
    let tokens = world.get("/api/tokens").await.is(200);
    assert!(made <= 1 && tokens["total"] == made, "{made} of {tokens}");
}
