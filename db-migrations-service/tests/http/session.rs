//! Signing in from a browser: the cookie, and who may use it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, Setup, World, world_with};

async fn strict() -> World {
    world_with(Setup { variables: vec![("MIGRATION_SERVICE_AUTH", "required".to_owned())], ..Setup::default() }).await
}

/// Signs in, and returns the cookie as a browser sends it.
async fn signed_in(world: &World, token: &str) -> String {
    let answer = world.post("/api/session", json!({ "token": token })).await;
    answer.is(200);
    answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned()
}

async fn with_cookie(world: &World, cookie: &str, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = world.request(method.clone(), path).header("cookie", cookie);
    if method == Method::POST {
        request = request.json(&json!({ "wait": true }));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_out_of_reach_and_says_who_it_is() {
    let world = strict().await;
    let token = world.token(&["read", "backup"], &["alumnos-service"]).await;
    let answer = world.post("/api/session", json!({ "token": format!(" {token}\n") })).await;
    let body = answer.is(200);
    assert_eq!(body["scopes"], json!(["read", "backup"]));
    assert_eq!((&body["services"], &body["cookie"]), (&json!(["alumnos-service"]), &json!(true)));
    assert!(!answer.text.contains(&token), "the answer does not repeat it");
    let cookie = answer.header("set-cookie").expect("a cookie");
    assert!(
        cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Strict") && cookie.contains("; Path=/"),
        "{cookie}"
    );
    assert!(!cookie.contains("Secure"), "over plain HTTP it would be lost: {cookie}");

    let over_tls = world.request(Method::POST, "/api/session").header("origin", format!("https://{}", world.address));
    let answer = Answer::of(over_tls.json(&json!({ "token": token }))).await;
    assert!(answer.header("set-cookie").is_some_and(|cookie| cookie.contains("; Secure")), "{answer:?}");

    let sent = signed_in(&world, &token).await;
    let who = with_cookie(&world, &sent, Method::GET, "/api/session", &[]).await.is(200);
    assert_eq!((&who["actor"], &who["cookie"]), (&body["actor"], &json!(true)));
    let by_header = Answer::of(world.request(Method::GET, "/api/session").bearer_auth(&token)).await.is(200);
    assert_eq!(by_header["cookie"], json!(false), "nothing to sign out of");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_no_session() {
    let world = strict().await;
    for token in ["", "profe_x", "profe_aaaaaaaa_bbbb\r\nSet-Cookie: x=1"] {
        let answer = world.post("/api/session", json!({ "token": token })).await;
        answer.is_problem(401, "invalid_token");
        assert_eq!(answer.header("set-cookie"), None);
    }
    world.post("/api/session", json!({})).await.is_problem(422, "invalid_body");
    world.get("/api/session").await.is_problem(401, "unauthenticated");
    // One that was revoked stays in the browser until somebody takes it away.
    let stale = with_cookie(&world, "profe_session=profe_x", Method::GET, "/api/session", &[]).await;
    stale.is_problem(401, "invalid_token");
    assert!(stale.header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")), "{stale:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_cookie_only_our_own_pages_change_anything() {
    let panel = "https://panel.example.org";
    let variables = vec![
        ("MIGRATION_SERVICE_AUTH", "required".to_owned()),
        ("MIGRATION_SERVICE_ALLOWED_ORIGINS", panel.to_owned()),
    ];
    let world = world_with(Setup { variables, ..Setup::default() }).await;
    let cookie = signed_in(&world, &world.token(&["read", "migrate"], &[]).await).await;
    let own = format!("http://{}", world.address);
    let run = "/api/migrations/run";
    for headers in [&[][..], &[("origin", panel)], &[("sec-fetch-site", "same-site")], &[("origin", "null")]] {
        let answer = with_cookie(&world, &cookie, Method::POST, run, headers).await;
        answer.is_problem(403, "origin_not_allowed");
    }
    // Looking is harmless: what another page asks for, it cannot read.
    with_cookie(&world, &cookie, Method::GET, "/api/migrations/status", &[("origin", panel)]).await.is(200);
    with_cookie(&world, &cookie, Method::POST, run, &[("origin", &own)]).await.is(200);
    with_cookie(&world, &cookie, Method::POST, run, &[("sec-fetch-site", "same-origin")]).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_takes_the_cookie_away() {
    let world = strict().await;
    let answer = Answer::of(world.request(Method::DELETE, "/api/session")).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    let cookie = answer.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("profe_session=;") && cookie.contains("Max-Age=0"), "{cookie}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_schemas_come_with_their_tables_where_asked() {
    let world = world_with(Setup::default()).await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let plain = world.get("/api/schemas").await.is(200);
    assert_eq!(plain["services"][0]["details"], Value::Null);
    let whole = world.get("/api/schemas?withTables=true").await.is(200);
    for service in whole["services"].as_array().expect("services") {
        let name = service["service"].as_str().expect("a name");
        let alone = world.get(&format!("/api/schemas/{name}")).await.is(200);
        assert_eq!(service["details"], alone["schemas"], "{name}");
    }
}
