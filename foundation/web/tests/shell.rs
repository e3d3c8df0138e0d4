//! The shell and the server, with handlers that misbehave.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use web::{Door, Grace, Json, Problem, Query, kinds, serve, shell};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    page: u32,
}

async fn panics() -> &'static str {
    panic!("with a secret")
}

async fn never() -> &'static str {
    std::future::pending().await
}

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

async fn server(grace: Duration) -> Server {
    let routes = Router::new()
        .route("/panics", get(panics))
        .route("/never", get(never))
        .route("/page", get(async |Query(query): Query<Page>| query.page.to_string()))
        .route("/page", post(async |Json(body): Json<Page>| body.page.to_string()))
        .route("/peer", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.ip().to_string()))
        .route("/problem", get(async || Problem::new(kinds::INTERNAL).detail("d").with("status", 1).with("own", 2)));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let (address, shutdown) = (listener.local_addr().expect("an address"), CancellationToken::new());
    let router = shell(routes, Door::new(address.ip(), Vec::new(), Vec::new(), &[]));
    let task = tokio::spawn(serve(listener, router, shutdown.clone(), Grace { requests: grace }));
    Server { address, shutdown, task }
}

/// Sends a request as it stands and reads until the server closes.
async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("text");
    answer
}

async fn fetch(address: SocketAddr, method: &str, target: &str, rest: &str) -> String {
    raw(address, &format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{rest}\r\n")).await
}

#[tokio::test]
async fn a_panic_is_one_answer_and_the_server_goes_on() {
    let server = server(Duration::from_secs(1)).await;
    for _ in 0..2 {
        let answer = fetch(server.address, "GET", "/panics", "").await;
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        assert!(answer.contains(r#""code":"internal_error""#) && !answer.contains("secret"), "{answer}");
    }
    assert!(fetch(server.address, "GET", "/peer", "").await.ends_with("127.0.0.1"));
}

#[tokio::test]
async fn problems_have_one_form_everywhere() {
    let server = server(Duration::from_secs(1)).await;
    for (method, target, rest, status, code) in [
        ("GET", "/nothing", "", 404, "not_found"),
        ("DELETE", "/page", "", 405, "method_not_allowed"),
        ("GET", "/page?page=x", "", 400, "invalid_query"),
        ("GET", "/page?page=1&other=2", "", 400, "invalid_query"),
        ("POST", "/page", "Content-Length: 2\r\n\r\n{}", 415, "unsupported_media_type"),
        ("POST", "/page", "Content-Type: application/json\r\nContent-Length: 1\r\n\r\n{", 400, "malformed_json"),
        (
            "POST",
            "/page",
            "Content-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"page\":{}}",
            422,
            "invalid_body",
        ),
    ] {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{rest}");
        let request = if rest.is_empty() { request + "\r\n" } else { request };
        let answer = raw(server.address, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {target}: {answer}");
        assert!(answer.contains("content-type: application/problem+json"), "{method} {target}: {answer}");
        assert!(answer.contains(&format!(r#""code":"{code}""#)), "{method} {target}: {answer}");
        assert!(
            answer.contains(r#""requestId":""#) && answer.contains(r#""instance":"/"#),
            "{method} {target}: {answer}"
        );
    }
    let answer = fetch(server.address, "DELETE", "/page", "").await;
    assert!(answer.contains("allow: GET,HEAD,POST"), "{answer}");
    let answer = fetch(server.address, "GET", "/problem", "").await;
    assert!(
        answer.contains(r#""status":500"#) && answer.contains(r#""own":2"#),
        "members do not hide the standard ones: {answer}"
    );
}

#[tokio::test]
async fn a_chunked_body_is_limited_too() {
    let server = server(Duration::from_secs(1)).await;
    let mut stream = TcpStream::connect(server.address).await.expect("it listens");
    let head = "POST /page HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("it reads");
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..17 {
        // The server may answer and close before it has read everything.
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    let mut start = [0; 13];
    stream.read_exact(&mut start).await.expect("an answer");
    assert_eq!(&start, b"HTTP/1.1 413 ");
}

#[tokio::test]
async fn a_stop_waits_for_nobody_longer_than_the_grace_time() {
    let server = server(Duration::from_millis(200)).await;
    let address = server.address;
    let mut stuck = TcpStream::connect(address).await.expect("it listens");
    stuck.write_all(b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("it reads");
    // An answer on a second connection proves that the loop has taken the first.
    fetch(address, "GET", "/peer", "").await;
    let begun = Instant::now();
    server.shutdown.cancel();
    server.task.await.expect("no panic").expect("in good order");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(TcpStream::connect(address).await.is_err(), "the port is free again");
}

#[tokio::test]
async fn the_callers_trace_is_named_again_and_nonsense_is_not() {
    let server = server(Duration::ZERO).await;
    let ours = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    assert!(fetch(server.address, "GET", "/peer", ours).await.contains(ours));
    let nonsense = "traceparent: 00-4bf92f35-00f067aa-01\r\n";
    assert!(!fetch(server.address, "GET", "/peer", nonsense).await.contains("traceparent"));
}
