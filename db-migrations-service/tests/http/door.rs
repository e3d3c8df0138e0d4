//! Browsers cannot be tricked into calling it.

use db_migrations_service::operations::{Operations, Recording};
use db_migrations_service::settings::Settings;
use db_migrations_service::{Service, StartError};
use reqwest::Method;
use serde_json::json;

use crate::world::{Answer, Setup, World, world, world_with};

async fn call(world: &World, headers: &[(&str, &str)]) -> Answer {
    let mut request = world.request(Method::POST, "/api/migrations/run").json(&json!({ "service": "nobody" }));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_hosts_and_origins_are_refused_before_anything_else() {
    let world = world().await;
    let own = format!("http://{}", world.address);
    call(&world, &[]).await.is_problem(404, "unknown_service");
    call(&world, &[("Host", "localhost")]).await.is_problem(404, "unknown_service");
    call(&world, &[("Origin", &own)]).await.is_problem(404, "unknown_service");
    call(&world, &[("Sec-Fetch-Site", "same-origin")]).await.is_problem(404, "unknown_service");
    call(&world, &[("Host", "rebound.example.org")]).await.is_problem(421, "host_not_allowed");
    for origin in ["https://evil.example.org", "null", "http://localhost:1"] {
        call(&world, &[("Origin", origin)]).await.is_problem(403, "origin_not_allowed");
    }
    call(&world, &[("Sec-Fetch-Site", "cross-site")]).await.is_problem(403, "origin_not_allowed");
    let foreign = |path: &'static str| world.request(Method::GET, path).header("Host", "rebound.example.org");
    for path in ["/api/migrations/status", "/docs/", "/openapi.json", "/ready", "/nothing"] {
        Answer::of(foreign(path)).await.is_problem(421, "host_not_allowed");
    }
    Answer::of(foreign("/health")).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_hosts_and_pages_may() {
    let variables = vec![
        ("MIGRATION_SERVICE_ALLOWED_HOSTS", "migrations.example.org".to_owned()),
        ("MIGRATION_SERVICE_ALLOWED_ORIGINS", "https://panel.example.org".to_owned()),
    ];
    let world = world_with(Setup { variables, ..Setup::default() }).await;
    call(&world, &[("Host", "migrations.example.org")]).await.is_problem(404, "unknown_service");
    let page = ("Origin", "https://panel.example.org");
    let answer = call(&world, &[page]).await;
    answer.is_problem(404, "unknown_service");
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://panel.example.org"));
    let preflight = world
        .request(Method::OPTIONS, "/api/migrations/run")
        .header(page.0, page.1)
        .header("Access-Control-Request-Method", "POST");
    let answer = Answer::of(preflight).await;
    assert_eq!(answer.status, 204);
    assert!(answer.header("access-control-allow-headers").is_some_and(|names| names.contains("authorization")));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_it_does_not_listen_where_others_can_reach_it() {
    let world = world().await;
    let operations =
        Operations::new(world.operations.project().clone(), world.operations.targets().clone(), Recording::First);
    let settings = Settings { bind: "0.0.0.0".parse().expect("an address"), port: 0, ..Settings::default() };
    let refused = Service::bind(operations.clone(), &settings).await.err().expect("no token yet");
    assert!(matches!(refused, StartError::Unprotected(_)));
    assert!(refused.to_string().contains("profe token create"), "{refused}");
    world.token(&["read"], &[]).await;
    Service::bind(operations, &settings).await.expect("there is a token now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_with_its_cure() {
    let world = world().await;
    let settings = Settings { port: world.address.port(), ..Settings::default() };
    let refused = Service::bind(world.operations.clone(), &settings).await.err().expect("the port is taken");
    assert!(refused.to_string().contains("MIGRATION_SERVICE_PORT"), "{refused}");
}
