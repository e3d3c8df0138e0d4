//! What is too large, too deep, broken off or made up is refused, and costs nobody else anything.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde_json::json;
use testkit::Seen;
use testkit::people::{ADMIN, SCHOOLS};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_30_bodies_have_limits_of_size_and_depth_and_must_be_whole() {
    let world = World::start().await;
    let path = format!("/api/organizations/{}", SCHOOLS[0]);
    let token = world.platform.issuer.token(&ADMIN);
    let put = |body: String| {
        let request = world.served.request(Method::PUT, &path).bearer_auth(&token);
        Seen::of(request.header("content-type", "application/json").body(body))
    };
    let large = put(json!({ "name": "x".repeat(1 << 20) }).to_string()).await;
    assert_eq!((large.status, large.code().as_str()), (413, "body_too_large"));
    let deep = put(format!("{{\"name\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000))).await;
    assert_eq!((deep.status, deep.code().as_str()), (400, "malformed_json"));
    // It says that more is to come, and ends.
    let mut line = TcpStream::connect(world.served.address).await.expect("a connection");
    let head = format!("PUT {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n");
    let rest = "content-type: application/json\r\ncontent-length: 100\r\n\r\n{\"name\":";
    line.write_all(format!("{head}{rest}").as_bytes()).await.expect("it is taken");
    line.shutdown().await.expect("nothing more comes");
    let mut answer = String::new();
    line.read_to_string(&mut answer).await.expect("an answer, or none");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408") || answer.starts_with("HTTP/1.1 400"), "{answer}");
    // A head has a limit, too.
    let long = world.served.request(Method::GET, &path).bearer_auth(&token).header("x-long", "x".repeat(100 << 10));
    let refused = long.send().await.map(|answer| answer.status().as_u16());
    assert!(refused.as_ref().map_or(true, |status| *status == 431), "{refused:?}");
    // None of them takes forms, of which the parts would have to be counted.
    let document = serde_json::to_string(&organizations::document()).expect("JSON");
    assert!(!document.contains("multipart/"));
    assert_eq!(world.get(&ADMIN, &path).await.json()["name"], "Escuela de Ejemplo");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_31_a_cursor_that_somebody_made_up_is_no_defect() {
    let world = World::start().await;
    for key in [json!(["a\0b", SCHOOLS[0]]), json!(["a"]), json!({}), json!([1, 2])] {
        let cursor = URL_SAFE_NO_PAD.encode(key.to_string());
        let answer = world.get(&ADMIN, &format!("/api/organizations?cursor={cursor}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_query"), "{key}: {answer:?}");
    }
}
