//! What answers tell, and what they do not.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use testkit::people::{ADMIN, PASSWORD, TEACHER};

use crate::world::{Seen, World};

/// Medians of so many.
const TIMES: usize = 9;

/// The middle one of both, taken in turns so that a busy moment hits both alike.
async fn medians(
    world: &World,
    path: &str,
    known: impl Fn(usize) -> Value,
    unknown: impl Fn(usize) -> Value,
) -> [Duration; 2] {
    let mut took = [Vec::new(), Vec::new()];
    for time in 0..TIMES {
        for (which, body) in [known(time), unknown(time)].iter().enumerate() {
            // An address of its own, so that no limit is met.
            let request = world.from(&format!("192.0.2.{}", 10 + time), Method::POST, path).json(body);
            let start = Instant::now();
            Seen::of(request).await;
            took[which].push(start.elapsed());
        }
    }
    took.map(|mut times| {
        times.sort_unstable();
        times[TIMES / 2]
    })
}

fn assert_alike([known, unknown]: [Duration; 2]) {
    let (more, less) = (known.max(unknown), known.min(unknown));
    // Without the hash for nobody one would take a twentieth of the other.
    assert!(
        more <= less * 2 + Duration::from_millis(3),
        "{known:?} for a known address, {unknown:?} for an unknown one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_4_unknown_and_wrong_are_answered_alike_at_sign_in() {
    let world = World::start().await;
    world.sql("UPDATE auth.users SET is_active = false WHERE email = 'docente2@escuela.example'").await;
    world.sql("UPDATE auth.users SET is_verified = false WHERE email = 'docente3@escuela.example'").await;
    let wrong = world.login_from("192.0.2.1", TEACHER.email, "otra clave").await;
    assert_eq!((wrong.status, wrong.code().as_str()), (401, "sign_in_failed"));
    for (email, password) in [
        ("nadie@escuela.example", PASSWORD),
        ("docente2@escuela.example", PASSWORD),
        ("docente3@escuela.example", PASSWORD),
        ("no es un correo", "x"),
    ] {
        let seen = world.login_from("192.0.2.1", email, password).await;
        assert_eq!((seen.status, seen.same()), (wrong.status, wrong.same()), "{email}");
    }
    let body = |email: String| json!({ "email": email, "password": "otra clave" });
    let known = |_| body(TEACHER.email.to_owned());
    assert_alike(medians(&world, "/api/auth/login", known, |n| body(format!("nadie{n}@escuela.example"))).await);
    let outcomes = "SELECT string_agg(DISTINCT outcome, ' ' ORDER BY outcome) FROM auth.sign_in_events WHERE created_at > now() - interval '1 hour'";
    assert_eq!(world.value(outcomes).await, "blocked not_verified unknown_account wrong_password");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_4_forgotten_passwords_and_registrations_tell_nobody_who_has_an_account() {
    let world = World::start().await;
    for path in ["/api/auth/reset-password", "/api/auth/resend-verification"] {
        let body = |email: &str| json!({ "email": email });
        let [known, unknown] =
            [world.post(path, body(ADMIN.email)).await, world.post(path, body("nadie@escuela.example")).await];
        assert_eq!((known.status, known.json()), (unknown.status, unknown.json()));
        assert_eq!(known.status, 202);
        assert_alike(
            medians(&world, path, |_| body(TEACHER.email), |n| body(&format!("nadie{n}@escuela.example"))).await,
        );
    }
    let path = "/api/auth/register";
    let body = |email: String| json!({ "email": email, "password": "lluvia en la montaña", "name": "Docente" });
    let [known, unknown] = [
        world.post(path, body(ADMIN.email.to_owned())).await,
        world.post(path, body("nueva@escuela.example".to_owned())).await,
    ];
    let shape = |seen: &Seen| (seen.status, seen.json()["status"].clone());
    assert_eq!(shape(&known), shape(&unknown));
    let others = |n| body(format!("nueva{n}@escuela.example"));
    assert_alike(medians(&world, path, |_| body(TEACHER.email.to_owned()), others).await);
    // The owner is told by letter, and their account is as it was.
    let letter = world.letter(ADMIN.email, 2).await;
    assert!(world.letters(ADMIN.email).iter().any(|letter| letter.contains("que ya tiene una cuenta")), "{letter}");
    world.login(&ADMIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_16_no_cookie_is_set_and_no_address_with_a_token_is_told_on() {
    let world = World::start().await;
    let login = world.login_from("192.0.2.1", TEACHER.email, PASSWORD).await;
    assert!(login.headers.get("set-cookie").is_none());
    assert_eq!(login.header("cache-control"), "no-store");
    let void = Seen::of(world.client.get(format!("{}/api/auth/verify-email/{}", world.base, "A".repeat(43)))).await;
    assert_eq!((void.status, void.code().as_str(), void.header("referrer-policy")), (400, "link_void", "no-referrer"));
    // An access token in an address is none.
    let token = login.json()["token"].as_str().expect("a token").to_owned();
    let seen =
        Seen::of(world.client.get(format!("{}/api/auth/sessions?access_token={token}&token={token}", world.base)))
            .await;
    assert_eq!(seen.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_19_no_answer_holds_a_hash_and_no_request_sets_what_is_not_its_own() {
    let world = World::start().await;
    let more =
        json!({ "is_verified": true, "isVerified": true, "isActive": true, "id": TEACHER.id, "password_hash": "x" });
    world.register("nueva@escuela.example", "lluvia en la montaña", more).await;
    let made = "SELECT count(*) FROM auth.users WHERE email = 'nueva@escuela.example' AND id <> '00000001-0001-4000-8000-000000000011'";
    assert_eq!(world.value(made).await, "1");
    let teacher = world.login(&TEACHER).await;
    for path in ["/api/auth/session/validate", "/api/auth/sessions", "/api/auth/sign-ins"] {
        let seen = world.call(&teacher.token, Method::GET, path).await;
        assert_eq!(seen.status, 200, "{seen:?}");
        for word in ["argon2", "hash", "password\"", "refreshToken", &teacher.refresh] {
            assert!(!seen.text.contains(word), "{word} in {}", seen.text);
        }
    }
}
