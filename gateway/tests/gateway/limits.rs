//! How much is let through.

use serde_json::Value;

use crate::service;
use crate::world::{TABLE, World, somebody};

#[tokio::test]
async fn check_30_a_costly_route_has_a_limit_for_each_user() {
    let world = World::start().await;
    let (one, other) = (world.token(), world.token());
    let again = {
        let access = somebody();
        [world.token_of(&access), world.token_of(&access), world.token_of(&access)]
    };
    let mut statuses = Vec::new();
    for token in again.iter().chain([&one, &other]) {
        statuses.push(world.get_as("/api/costly/run", token).await.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429, 200, 200], "counted by user, not by token");
    let late = world.get_as("/api/costly/run", &again[0]).await;
    assert!(late.headers()["retry-after"].to_str().expect("text").parse::<u64>().expect("seconds") > 0);
    let problem: Value = late.json().await.expect("a problem");
    assert_eq!(problem["code"], "too_many_requests");
    assert_eq!(world.get_as("/api/things/7", &again[0]).await.status(), 200, "other routes are not concerned");
}

#[tokio::test]
async fn check_30_one_client_and_one_user_have_limits_in_all() {
    let client = format!("[limits]\nclient = {{ requests = 1, seconds = 3600, burst = 3 }}\n{TABLE}");
    let client = client.replacen("\nversions = [\"/api/v1\"]\n", "", 1);
    let world = World::with(&client, |settings, _| settings.trusted_hops = 1).await;
    let ask = async |address: &str| {
        let request = world.http.get(world.url("/api/open/7")).header("x-forwarded-for", address);
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(
        [ask("1.1.1.1").await, ask("1.1.1.1").await, ask("1.1.1.1").await, ask("1.1.1.1").await],
        [200, 200, 200, 429]
    );
    assert_eq!(ask("9.9.9.9, 1.1.1.1").await, 429, "what a client writes itself changes nothing");
    assert_eq!(ask("2.2.2.2").await, 200);
    let user = client.replacen("client =", "user =", 1);
    let world = World::with(&user, |_, _| {}).await;
    let token = world.token();
    for expected in [200, 200, 200, 429] {
        assert_eq!(world.get_as("/api/things/7", &token).await.status(), expected);
    }
    assert_eq!(world.get_as("/api/things/7", &world.token()).await.status(), 200);
}

#[tokio::test]
async fn check_30_bodies_and_heads_have_limits() {
    let world = World::start().await;
    let token = world.token();
    let large = vec![b'x'; (1 << 20) + 1];
    let told = world.http.post(world.url("/api/things/x")).bearer_auth(&token).body(large.clone()).send().await;
    // It is refused by its length, before it is sent; a client that sends all the same may find the connection closed.
    assert!(told.as_ref().map_or(true, |answer| answer.status() == 413), "{told:?}");
    assert!(world.things.seen().is_empty());
    let (send, body) = service::parts();
    for part in large.chunks(64 << 10) {
        send.send(bytes::Bytes::copy_from_slice(part)).expect("it is read");
    }
    drop(send);
    let counted = world.http.post(world.url("/api/things/x")).bearer_auth(&token).body(body).send().await;
    assert!(counted.as_ref().map_or(true, |answer| answer.status() == 413), "{counted:?}");
    assert!(world.things.seen().is_empty(), "nobody saw the whole of it");
    let head = format!(
        "POST /api/things/x HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\ncontent-length: 9000000\r\n\r\n"
    );
    let answer = world.raw(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("body_too_large"), "{answer}");
    let fits = world.http.post(world.url("/api/things/x")).bearer_auth(&token).body(large[1..].to_vec()).send().await;
    assert_eq!(fits.expect("an answer").status(), 200);
    let long = format!("GET /api/open/x HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(70 << 10));
    let answer = world.raw(long.as_bytes()).await;
    assert!(!answer.contains(" 200 "), "{}", &answer[..answer.len().min(80)]);
    let many = format!("GET /api/open/x HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(200));
    let answer = world.raw(many.as_bytes()).await;
    assert!(!answer.contains(" 200 "), "{answer}");
}
