//! Links that let a password be set or show an address.

use reqwest::Method;
use serde_json::json;
use testkit::people::{PASSWORD, TEACHER};

use crate::world::{Seen, World, link_in, path_of, token_of};

const NEW: &str = "lluvia en la montaña";
const RESET: &str = "/api/auth/reset-password";

async fn link(world: &World) -> String {
    let before = world.letters(TEACHER.email).len();
    assert_eq!(world.post(RESET, json!({ "email": TEACHER.email })).await.status, 202);
    token_of(&link_in(&world.letter(TEACHER.email, before + 1).await))
}

async fn complete(world: &World, token: &str, password: &str) -> Seen {
    world.post(RESET, json!({ "token": token, "password": password })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_set_by_the_mailed_link() {
    let world = World::start().await;
    let elsewhere = world.login(&TEACHER).await;
    world.settled().await;
    let token = link(&world).await;
    let asked = world.post("/api/auth/verify-reset-token", json!({ "token": token })).await;
    assert_eq!((asked.status, asked.json()["valid"].clone()), (200, json!(true)));
    let left = asked.json()["expiresIn"].as_i64().expect("seconds");
    assert!((1..=600).contains(&left), "ten minutes at most: {left}");
    let weak = complete(&world, &token, "password").await;
    assert_eq!((weak.status, weak.code().as_str()), (422, "weak_password"), "and the link still works");
    let done = complete(&world, &token, NEW).await;
    assert_eq!((done.status, done.json()), (200, json!({ "status": "password_set" })));
    assert_eq!(world.refresh(&elsewhere.refresh).await.status, 401, "all sessions have ended");
    assert_eq!(world.login_from("192.0.2.1", TEACHER.email, PASSWORD).await.status, 401);
    assert_eq!(world.login_from("192.0.2.1", TEACHER.email, NEW).await.status, 200);
    assert_eq!(complete(&world, &token, "otra lluvia distinta").await.status, 400, "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_7_of_two_parallel_uses_one_wins() {
    let world = World::start().await;
    let token = link(&world).await;
    let (one, two) =
        tokio::join!(complete(&world, &token, "lluvia número uno"), complete(&world, &token, "lluvia número dos"));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "{one:?} {two:?}");
    let winner = if one.status == 200 { "lluvia número uno" } else { "lluvia número dos" };
    assert_eq!(world.login_from("192.0.2.1", TEACHER.email, winner).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_7_a_link_is_for_one_purpose_one_address_and_a_short_time() {
    let world = World::start().await;
    let token = link(&world).await;
    let kept = format!("SELECT count(*) FROM auth.password_resets WHERE token = '{token}'");
    assert_eq!(world.value(&kept).await, "0", "only a hash is kept");
    assert_eq!(
        world.value("SELECT max(length(details::text)) FROM auth.errands WHERE details::text LIKE '%token%'").await,
        ""
    );
    let lives = "SELECT max(extract(epoch FROM expires_at - created_at))::int FROM auth.password_resets WHERE created_at > now() - interval '1 day'";
    assert_eq!(world.value(lives).await, "600");
    // It confirms no address, and a confirming link sets no password.
    let verify = Seen::of(world.from("192.0.2.1", Method::GET, &format!("/api/auth/verify-email/{token}"))).await;
    assert_eq!(verify.status, 400);
    world.post("/api/auth/register", json!({ "email": "n@escuela.example", "password": NEW, "name": "N" })).await;
    let confirming = path_of(&link_in(&world.letter("n@escuela.example", 1).await));
    let confirming = confirming.rsplit('/').next().expect("a token").to_owned();
    assert_eq!(complete(&world, &confirming, "otra lluvia distinta").await.status, 400);
    // For another address by now, blocked, or over: void.
    let teacher = format!("WHERE id = '{}'", TEACHER.id);
    world.sql(&format!("UPDATE auth.users SET email = 'otro@escuela.example' {teacher}")).await;
    assert_eq!(complete(&world, &token, "otra lluvia distinta").await.status, 400);
    world.sql(&format!("UPDATE auth.users SET email = '{}', is_active = false {teacher}", TEACHER.email)).await;
    assert_eq!(complete(&world, &token, "otra lluvia distinta").await.status, 400);
    world.sql(&format!("UPDATE auth.users SET is_active = true {teacher}")).await;
    world.sql("UPDATE auth.password_resets SET expires_at = now() WHERE used_at IS NULL").await;
    assert_eq!(complete(&world, &token, "otra lluvia distinta").await.status, 400);
    for nonsense in ["", "x", &"A".repeat(43), &"A".repeat(10_000)] {
        assert_eq!(complete(&world, nonsense, "otra lluvia distinta").await.status, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_says_neither_or_both_is_refused() {
    let world = World::start().await;
    for body in [
        json!({}),
        json!({ "token": "x" }),
        json!({ "email": "a@b.example", "token": "x", "password": "y" }),
        json!({ "email": "x" }),
    ] {
        let seen = world.post(RESET, body).await;
        assert_eq!((seen.status, seen.code().as_str()), (422, "invalid_value"));
    }
}
