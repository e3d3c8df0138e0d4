//! Bytes that two readers could read in two ways.

use crate::world::World;

const NEXT: &str = "GET /api/open/smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn check_27_what_can_be_read_in_two_ways_is_refused_and_arrives_nowhere() {
    let world = World::start().await;
    let post = "POST /api/open/x HTTP/1.1\r\nhost: a\r\n";
    let cases = [
        ("CL and TE", format!("{post}content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{NEXT}")),
        ("TE and CL", format!("{post}transfer-encoding: chunked\r\ncontent-length: 6\r\n\r\n0\r\n\r\n{NEXT}")),
        ("two lengths", format!("{post}content-length: 5\r\ncontent-length: 0\r\n\r\nhello{NEXT}")),
        ("one length twice", format!("{post}content-length: 5\r\ncontent-length: 5\r\n\r\nhello{NEXT}")),
        ("a list of lengths", format!("{post}content-length: 5, 5\r\n\r\nhello{NEXT}")),
        ("a length with a sign", format!("{post}content-length: +5\r\n\r\nhello{NEXT}")),
        (
            "HTTP/1.0 and TE",
            format!("POST /api/open/x HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{NEXT}"),
        ),
        ("two codings", format!("{post}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n{NEXT}")),
        ("an unknown coding", format!("{post}transfer-encoding: cow\r\n\r\n0\r\n\r\n{NEXT}")),
        ("a blank before the colon", format!("{post}transfer-encoding : chunked\r\n\r\n0\r\n\r\n{NEXT}")),
        ("bare line feeds", format!("POST /api/open/x HTTP/1.1\nhost: a\ncontent-length: 0\n\n{NEXT}")),
        ("one bare line feed", format!("{post}x: y\ncontent-length: 5\r\n\r\nhello{NEXT}")),
        ("a folded line", format!("{post}x: y\r\n transfer-encoding: chunked\r\n\r\n0\r\n\r\n{NEXT}")),
        ("a lone carriage return", format!("{post}x: y\rtransfer-encoding: chunked\r\n\r\n{NEXT}")),
        ("a NUL", format!("{post}x: y\0\r\n\r\n{NEXT}")),
        ("two hosts", format!("GET /api/open/x HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n{NEXT}")),
        ("no host", format!("GET /api/open/x HTTP/1.1\r\n\r\n{NEXT}")),
    ];
    for (what, bytes) in &cases {
        let answer = world.raw(bytes.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{what}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count().max(1), 1, "{what}: {answer}");
    }
    assert_eq!(world.things.inner.count.borrow().to_owned(), 0, "{:?}", world.things.seen());
}

#[tokio::test]
async fn check_27_a_body_that_goes_wrong_ends_the_connection_before_what_follows() {
    let world = World::start().await;
    let post = "POST /api/open/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    for (what, body) in [
        ("a bare line feed behind a size", "5\nhello\r\n0\r\n\r\n"),
        ("a chunk that is longer than it says", "5\r\nhello!\r\n0\r\n\r\n"),
        ("a size that is none", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("a size without end", "fffffffffffffffff\r\n"),
        ("a bare line feed in a trailer", "0\r\nx: y\n\r\n"),
    ] {
        let answer = world.raw(format!("{post}{body}{NEXT}").as_bytes()).await;
        assert!(!answer.contains(" 200 "), "{what}: {answer}");
    }
    assert!(world.things.seen().iter().all(|seen| seen.uri != "/api/things/open/smuggled"));
}

#[tokio::test]
async fn check_27_messages_behind_one_another_stay_apart() {
    let world = World::start().await;
    let three = "POST /api/open/a HTTP/1.1\r\nhost: a\r\ncontent-length: 29\r\n\r\nGET /api/open/x HTTP/1.1\r\n\r\n\
                 \nPOST /api/open/b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
                 GET /api/open/c HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = world.raw(three.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 3, "{answer}");
    let seen: Vec<_> = world.things.seen().iter().map(|seen| format!("{} {}", seen.uri, seen.body.len())).collect();
    assert_eq!(seen, ["/api/things/open/a 29", "/api/things/open/b 3", "/api/things/open/c 0"]);
}

#[tokio::test]
async fn check_27_an_upgrade_that_is_not_taken_leaves_no_connection_behind() {
    let world = World::start().await;
    let get = "GET /api/open/plain HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n";
    // The service answers 200: what follows must not be read as a request.
    let answer = world.raw(format!("{get}upgrade: websocket\r\n\r\n{NEXT}").as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    assert_eq!(world.things.seen().len(), 1);
    for refused in [
        format!("{get}upgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n{NEXT}"),
        format!(
            "POST /api/open/plain HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 3\r\n\r\nabc{NEXT}"
        ),
    ] {
        let answer = world.raw(refused.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.matches("HTTP/1.1").count() == 1, "{answer}");
    }
    assert_eq!(world.things.seen().len(), 1);
    // Where no WebSocket is let through, it is a request as any other.
    let token = world.token();
    let asked = world.http.get(world.url("/api/things/ws")).bearer_auth(token).header("upgrade", "websocket");
    drop(asked.header("connection", "upgrade").send().await);
    assert!(!world.things.last().headers.contains_key("upgrade"));
}

#[tokio::test]
async fn check_28_path_tricks_reach_nothing() {
    let world = World::start().await;
    for path in [
        "//api/open/x",
        "/api//open/x",
        "/api/open/../../metrics",
        "/api/open/..",
        "/api/./open/x",
        "/api/open/%2e%2e/%2e%2e/metrics",
        "/api/open/%2E%2e/x",
        "/api/open/.%2e/x",
        "/api/open;x=y/x",
        "/api/open/x;y",
        "/api/open%2fx",
        "/api/open/%5c..",
        "/api/open/%00",
        "/api/open/%0d%0ax",
        "/api/open/%252e%252e/x",
        "/api/open/%zz",
        "/api/open\\x",
        "*",
        "http://a/api/open/../x",
    ] {
        let answer = world.raw(format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
    }
    assert!(world.things.seen().is_empty());
    // An absolute address is the path in it.
    let answer = world.raw(b"GET http://a/api/open/x?y HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(world.things.last().uri, "/api/things/open/x?y");
}

#[tokio::test]
async fn check_32_what_services_keep_to_themselves_is_out_of_reach() {
    let world = World::start().await;
    let token = world.token();
    for path in [
        "/metrics",
        "/docs",
        "/openapi.json",
        "/debug",
        "/.well-known/jwks.json",
        "/.well-known/revoked-sessions",
        "/api/metrics",
        "/",
    ] {
        assert_eq!(world.get_as(path, &token).await.status(), 404, "{path}");
    }
    assert!(world.things.seen().is_empty());
    let numbers = world.http.get(format!("http://{}/metrics", world.metrics)).send().await.expect("an answer");
    assert!(numbers.text().await.expect("text").contains("gateway_copy_up"), "on the port of their own they are");
}
