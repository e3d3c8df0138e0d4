//! Who is let in, and what a service sees of them.

use identity::{SigningKey, Terms};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::world::{World, somebody, until};

#[tokio::test]
async fn routes_are_for_whom_the_table_says() {
    let world = World::start().await;
    let good = world.token();
    let stranger = SigningKey::generate().expect("randomness");
    let terms = Terms::platform();
    let now = OffsetDateTime::now_utc();
    let forged = terms.issue(&somebody(), &stranger, now).expect("a token");
    let over = terms.issue(&somebody(), &world.key, now - Duration::hours(1)).expect("a token");
    let (good, forged, over) = (format!("Bearer {good}"), format!("Bearer {forged}"), format!("Bearer {over}"));
    let cases = [
        ("/api/things/7", None, 401),
        ("/api/things/7", Some(&*good), 200),
        ("/api/things/7", Some(&*forged), 401),
        ("/api/things/7", Some(&*over), 401),
        ("/api/things/7", Some("Basic YTpi"), 401),
        ("/api/v1/things/7", Some(&*good), 200),
        ("/api/v1/things/7", None, 401),
        ("/api/open/7", None, 200),
        ("/api/open/7", Some(&*good), 200),
        ("/api/open/7", Some(&*forged), 401),
        ("/api/open/7", Some("nonsense"), 401),
        ("/api/own/7", None, 401),
        ("/api/own/7", Some("Bearer profe_of_its_own_kind"), 200),
        ("/api/thingsx", Some(&*good), 404),
    ];
    for (path, authorization, expected) in cases {
        let mut request = world.http.get(world.url(path));
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), expected, "{path} {authorization:?}");
        if expected == 401 {
            assert!(answer.headers()["www-authenticate"].to_str().expect("text").starts_with("Bearer"));
            let problem: Value = answer.json().await.expect("a problem");
            assert_eq!(problem["code"], "unauthenticated");
        }
    }
    assert_eq!(world.things.seen().len(), 5, "nothing that was refused arrived");
    assert_eq!(world.things.seen()[1].uri, "/api/things/7", "a version is the same path at the service");
}

#[tokio::test]
async fn the_callers_token_is_passed_on_and_the_query_as_it_came() {
    let world = World::start().await;
    let token = world.token();
    world.get_as("/api/things/search?q=jos%C3%A9&limit=20", &token).await;
    let seen = world.things.last();
    assert_eq!(seen.headers["authorization"], format!("Bearer {token}"));
    assert_eq!(seen.uri, "/api/things/search?q=jos%C3%A9&limit=20");
    assert_eq!(seen.headers["host"], world.things.address.to_string());
}

#[tokio::test]
async fn check_25_nobody_outside_says_who_somebody_is() {
    let world = World::start().await;
    let forged = [
        ("X-User-Id", "7"),
        ("X-Roles", "admin"),
        ("X-Role", "admin"),
        ("x-organization-id", "7"),
        ("X-Tenant", "7"),
        ("X-Forwarded-For", "203.0.113.1"),
        ("X-Forwarded-User", "admin"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "x.example.org"),
        ("Forwarded", "for=203.0.113.1"),
        ("X-Real-IP", "203.0.113.1"),
        ("True-Client-IP", "203.0.113.1"),
        ("X_User_Id", "7"),
        ("X-Original-URL", "/metrics"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("Proxy-Authorization", "x"),
        ("Keep-Alive", "timeout=5"),
        ("X-Secret-Hop", "1"),
        ("Connection", "X-Secret-Hop, authorization"),
        ("X-Kept", "yes"),
        ("X-Request-Id", "abc-1"),
        ("TE", "trailers"),
    ];
    let mut request = world.http.get(world.url("/api/things/7")).bearer_auth(world.token());
    for (name, value) in forged {
        request = request.header(name, value);
    }
    assert_eq!(request.send().await.expect("an answer").status(), 200);
    let seen = world.things.last().headers;
    let mut names: Vec<_> = seen.keys().map(|name| name.as_str().to_owned()).collect();
    names.sort();
    let expected = [
        "accept",
        "authorization",
        "host",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-kept",
        "x-request-id",
    ];
    assert_eq!(names, expected);
    assert_eq!(
        (&seen["x-forwarded-for"], &seen["x-forwarded-proto"]),
        (&"127.0.0.1".parse().expect("a value"), &"http".parse().expect("a value"))
    );
    assert_eq!(seen["x-request-id"], "abc-1");
    assert_eq!(seen["x-forwarded-host"], world.address.to_string());
}

#[tokio::test]
async fn check_25_with_a_trusted_hop_the_client_is_the_one_that_it_saw() {
    let world = World::with(crate::world::TABLE, |settings, _| settings.trusted_hops = 1).await;
    let request = world.http.get(world.url("/api/open/7")).header("x-forwarded-for", "198.51.100.7, 203.0.113.1");
    request.header("x-forwarded-proto", "https").send().await.expect("an answer");
    let seen = world.things.last().headers;
    assert_eq!(seen["x-forwarded-for"], "203.0.113.1");
    assert_eq!(seen["x-forwarded-proto"], "https");
}

#[tokio::test]
async fn check_14_who_has_signed_out_is_refused_within_the_bound() {
    let world = World::start().await;
    let access = somebody();
    let token = world.token_of(&access);
    assert_eq!(world.get_as("/api/things/7", &token).await.status(), 200);
    world.ended.lock().expect("a lock").push(access.session);
    until(async || (world.get_as("/api/things/7", &token).await.status() == 401).then_some(())).await;
    assert_eq!(world.get_as("/api/things/7", &world.token()).await.status(), 200);
}

#[tokio::test]
async fn check_31_what_went_wrong_inside_stays_inside() {
    let world = World::start().await;
    let answer =
        world.http.get(world.url("/api/open/broken")).header("accept-language", "en").send().await.expect("an answer");
    assert_eq!(answer.status(), 500);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: Value = answer.json().await.expect("a problem");
    assert_eq!(problem["code"], "service_failed");
    assert_eq!(problem["message"], "The service has failed. Please try again later.");
    assert_eq!(problem["instance"], "/api/open/broken");
    assert!(!problem.to_string().contains("SELECT") && !problem.to_string().contains("main.rs"));
    let spanish: Value = world.get("/api/nothing").await.json().await.expect("a problem");
    assert_eq!(spanish["message"], "Lo que buscas no existe.");
    let theirs: Value = world.get("/api/open/problem").await.json().await.expect("a problem");
    assert_eq!(theirs["code"], "theirs", "a service's own problem is told");
    assert_eq!(world.get("/api/open/7").await.status(), 200, "the process lives");
}

#[tokio::test]
async fn check_29_pages_of_the_list_may_call_and_no_others() {
    let world = World::start().await;
    let ask = async |method: &str, origin: &str| {
        let method = method.parse().expect("a method");
        let request = world.http.request(method, world.url("/api/open/wordy")).header("origin", origin);
        request.header("access-control-request-method", "PUT").send().await.expect("an answer")
    };
    let listed = "https://panel.example.org";
    let preflight = ask("OPTIONS", listed).await;
    assert_eq!(preflight.status(), 204);
    assert_eq!(preflight.headers()["access-control-allow-origin"], listed);
    assert!(preflight.headers()["access-control-allow-methods"].to_str().expect("text").contains("PUT"));
    assert!(!preflight.headers().contains_key("access-control-allow-credentials"));
    let read = ask("GET", listed).await;
    assert_eq!(
        (read.status().as_u16(), &read.headers()["access-control-allow-origin"]),
        (200, &listed.parse().expect("a value"))
    );
    let own = format!("http://{}", world.address);
    assert_eq!(ask("GET", &own).await.status(), 200);
    for foreign in
        ["https://evil.example.org", "https://panel.example.org.evil.example", "null", "http://panel.example.org"]
    {
        for method in ["OPTIONS", "GET", "POST"] {
            let answer = ask(method, foreign).await;
            assert_eq!(answer.status(), 403, "{method} {foreign}");
            assert!(!answer.headers().contains_key("access-control-allow-origin"), "{method} {foreign}");
        }
    }
    assert_eq!(world.things.inner.count.borrow().to_owned(), 2);
}

#[tokio::test]
async fn check_29_every_answer_has_the_headers_and_only_usual_methods_pass() {
    let world = World::start().await;
    for path in ["/api/open/7", "/api/things/7", "/api/health", "/nothing"] {
        let answer = world.get(path).await;
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000", "{path}");
        assert!(answer.headers().contains_key("x-request-id"), "{path}");
    }
    let theirs = world.get("/api/open/wordy").await;
    assert_eq!(theirs.headers()["cache-control"], "max-age=60", "a service may let caches keep something");
    for hidden in ["access-control-allow-origin", "server", "x-inner"] {
        assert!(!theirs.headers().contains_key(hidden), "{hidden}");
    }
    let before = world.things.inner.count.borrow().to_owned();
    for method in ["TRACE", "CONNECT", "PROPFIND", "get"] {
        let answer = world
            .raw(format!("{method} /api/open/7 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").as_bytes())
            .await;
        let first = answer.lines().next().unwrap_or_default().to_owned();
        assert!(first.contains(" 405 ") || first.contains(" 400 "), "{method}: {first}");
    }
    assert_eq!(world.things.inner.count.borrow().to_owned(), before);
}
