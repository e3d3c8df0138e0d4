//! What the gateway tells of itself.

use gateway::{Gateway, Settings};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::world::{World, until};

#[tokio::test]
async fn health_and_status_tell_no_addresses() {
    let world = World::start().await;
    for path in ["/health", "/api/health", "/api/v1/health", "/ready"] {
        assert_eq!(world.get(path).await.status(), 200, "{path}");
    }
    let status = until(async || {
        let status: Value = world.get("/api/status").await.json().await.expect("JSON");
        (status["status"] == "up").then_some(status)
    })
    .await;
    assert_eq!(
        status,
        json!({ "status": "up", "services": [{ "name": "things", "status": "up", "copies": 1, "usable": 1 }] })
    );
    world.get("/api/open/7").await;
    let numbers = world.http.get(format!("http://{}/metrics", world.metrics)).send().await.expect("an answer");
    let numbers = numbers.text().await.expect("text");
    assert!(numbers.contains("gateway_requests_total{route=\"open\",status=\"2xx\"} 1"), "{numbers}");
    assert!(numbers.contains("gateway_request_duration_seconds_count{route=\"open\"} 1"), "{numbers}");
}

#[tokio::test]
async fn without_keys_nobody_is_believed_and_it_is_not_ready() {
    // Nobody answers there.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut settings: Settings = crate::world::settings(silent.local_addr().expect("an address"));
    settings.metrics = None;
    let gateway = Gateway::bind(&settings).await.expect("a gateway");
    let address = gateway.address();
    let stop = tokio_util::sync::CancellationToken::new();
    tokio::spawn(gateway.serve(stop));
    let ask =
        async |path: &str| reqwest::get(format!("http://{address}{path}")).await.expect("an answer").status().as_u16();
    assert_eq!((ask("/ready").await, ask("/health").await), (503, 200));
    let token = reqwest::Client::new().get(format!("http://{address}/api/users")).bearer_auth("x.y.z").send().await;
    assert_eq!(token.expect("an answer").status(), 503);
    assert_eq!(ask("/api/users").await, 401, "who presents nothing is nobody anyhow");
}
