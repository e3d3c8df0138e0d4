//! What comes in parts passes in parts.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::service;
use crate::world::World;

#[tokio::test]
async fn events_pass_the_moment_they_happen() {
    let world = World::start().await;
    let (send, receive) = mpsc::unbounded_channel();
    *world.things.inner.events.lock().expect("a lock") = Some(receive);
    let answer = world.get("/api/open/events").await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut events = answer.bytes_stream();
    for event in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
        // The next one is only sent when this one has arrived.
        send.send(event).expect("somebody listens");
        assert_eq!(events.next().await.expect("an event").expect("good"), event.as_bytes());
    }
    // Who listens no more is told to the service.
    drop(events);
    world.things.inner.gone.cancelled().await;
}

#[tokio::test]
async fn who_gives_up_is_told_to_the_service() {
    let world = World::start().await;
    let asked = tokio::spawn(world.http.get(world.url("/api/open/hang")).send());
    world.things.came(1).await;
    asked.abort();
    world.things.inner.gone.cancelled().await;
}

#[tokio::test]
async fn a_large_answer_passes_whole() {
    let world = World::start().await;
    let body = world.get("/api/open/large").await.bytes().await.expect("all of it");
    assert!(body.len() == 16 << 20 && body.iter().all(|b| *b == b'x'));
}

#[tokio::test]
async fn an_upload_is_held_back_while_the_service_does_not_read() {
    const MIB: usize = 1 << 20;
    let world = World::start().await;
    let (send, body) = service::parts();
    let upload = tokio::spawn(world.http.post(world.url("/api/open/upload")).body(body).send());
    // Sockets and buffers hold some of it; 64 MiB none.
    let mut stream = 64;
    for _ in 0..stream {
        send.send(Bytes::from(vec![b'x'; MIB])).expect("it is read");
    }
    drop(send);
    world.things.came(1).await;
    let resident = resident_mib();
    world.things.inner.gate.add_permits(1);
    let answer = upload.await.expect("it ended").expect("an answer");
    stream *= MIB;
    assert_eq!(answer.text().await.expect("text"), stream.to_string());
    // Bodies are no more than passed through: the process, the test's own 64 MiB in it, has not doubled.
    assert!(resident_mib() < resident + 48, "{resident} and {}", resident_mib());
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
}

#[tokio::test]
async fn a_websocket_is_bytes_both_ways() {
    let world = World::start().await;
    let mut stream = TcpStream::connect(world.address).await.expect("a connection");
    let ask = "GET /api/open/ws HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: k\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.expect("written");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a byte"));
    }
    let head = String::from_utf8(head).expect("text");
    assert!(head.starts_with("HTTP/1.1 101") && head.contains("sec-websocket-accept: yes"), "{head}");
    let seen = world.things.last().headers;
    assert_eq!(
        (&seen["sec-websocket-key"], &seen["upgrade"]),
        (&"k".parse().expect("a value"), &"websocket".parse().expect("a value"))
    );
    // Frames are no HTTP, and nobody takes them for it.
    for frame in [&b"\x81\x05hello"[..], b"\n\n\0\r\n GET / HTTP/1.1\r\n\r\n"] {
        stream.write_all(frame).await.expect("written");
        let mut echo = vec![0; frame.len()];
        stream.read_exact(&mut echo).await.expect("an echo");
        assert_eq!(echo, frame);
    }
}

#[tokio::test]
async fn check_30_a_body_that_comes_too_slowly_is_not_waited_for() {
    let quick =
        |settings: &mut gateway::Settings, _: &service::Service| settings.times.body = Duration::from_millis(100);
    let world = World::with(crate::world::TABLE, quick).await;
    let answer = world.raw(b"POST /api/open/x HTTP/1.1\r\nhost: a\r\ncontent-length: 50\r\n\r\nsome of it").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("body_incomplete"), "{answer}");
    let put = world.raw(b"PUT /api/open/x HTTP/1.1\r\nhost: a\r\ncontent-length: 50\r\n\r\nsome of it").await;
    assert!(put.starts_with("HTTP/1.1 408"), "{put}");
    assert!(world.things.seen().is_empty(), "nobody saw half a body");
    let broken = world.things.inner.bytes.load(Ordering::SeqCst);
    assert_eq!(broken, 0);
}

#[tokio::test]
async fn check_30_a_head_that_comes_too_slowly_is_not_waited_for() {
    let quick =
        |settings: &mut gateway::Settings, _: &service::Service| settings.times.head = Duration::from_millis(100);
    let world = World::with(crate::world::TABLE, quick).await;
    let answer = world.raw(b"GET /api/open/x HTTP/1.1\r\nhost: a\r\nx: ").await;
    assert!(!answer.contains(" 200 "), "{answer}");
}
