//! Access tokens that nobody issued.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use identity::{SigningKey, Terms};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use testkit::people::{ADMIN, TEACHER};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::world::{Seen, World};

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn check_9_forged_tokens_are_refused() {
    let world = World::start().await;
    let signed_in = world.login(&TEACHER).await;
    let [header, claims, signature]: [&str; 3] =
        signed_in.token.split('.').collect::<Vec<_>>().try_into().expect("a JWT");
    let read: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).expect("base64")).expect("JSON");
    let kid = read["kid"].clone();
    let keys = Seen::of(world.client.get(format!("{}/.well-known/jwks.json", world.base))).await.json();
    let public = keys["keys"][0]["x"].as_str().expect("a key").to_owned();
    let mut admin = signed_in.claims();
    admin["role"] = json!("admin");
    admin["sub"] = json!(ADMIN.id);
    let hs256 = |key: &[u8]| {
        let signed = format!("{}.{}", part(&json!({ "typ": "at+jwt", "alg": "HS256", "kid": kid })), part(&admin));
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key");
        mac.update(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    };
    let stranger = SigningKey::generate().expect("randomness");
    let foreign =
        Terms::platform().issue(&ADMIN.access(Uuid::new_v4()), &stranger, OffsetDateTime::now_utc()).expect("a token");
    let own_key = |member: &str, value: Value| {
        let mut header = json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": kid });
        header[member] = value;
        format!("{}.{claims}.{signature}", part(&header))
    };
    for (what, token) in [
        ("none", format!("{}.{}.", part(&json!({ "typ": "at+jwt", "alg": "none", "kid": kid })), part(&admin))),
        (
            "NONE",
            format!("{}.{}.{signature}", part(&json!({ "typ": "at+jwt", "alg": "NONE", "kid": kid })), part(&admin)),
        ),
        ("HS256 with the public key", hs256(public.as_bytes())),
        ("HS256 with its bytes", hs256(&URL_SAFE_NO_PAD.decode(&public).expect("base64"))),
        ("another key", foreign),
        ("other claims", format!("{header}.{}.{signature}", part(&admin))),
        ("jku", own_key("jku", json!("https://malo.example/keys"))),
        ("x5u", own_key("x5u", json!("https://malo.example/keys"))),
        ("jwk", own_key("jwk", keys["keys"][0].clone())),
        ("no token", "x".to_owned()),
    ] {
        let seen = world.call(&token, Method::GET, "/api/auth/sessions").await;
        assert_eq!(
            (seen.status, seen.code().as_str(), seen.header("www-authenticate")),
            (401, "unauthenticated", "Bearer"),
            "{what}"
        );
    }
    assert_eq!(world.call(&signed_in.token, Method::GET, "/api/auth/sessions").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_10_tokens_say_what_services_enforce() {
    let world = World::start().await;
    let claims = world.login(&TEACHER).await.claims();
    let times = [&claims["iat"], &claims["nbf"], &claims["exp"]].map(|time| time.as_i64().expect("a number"));
    assert_eq!(times[2] - times[0], 600, "ten minutes");
    assert_eq!((claims["iss"].as_str(), claims["aud"].as_str()), (Some(Terms::ISSUER), Some(Terms::AUDIENCE)));
    assert_eq!((claims["sub"].as_str(), claims["role"].as_str()), (Some(&*TEACHER.id.to_string()), Some("teacher")));
    for personal in ["email", "name"] {
        assert!(claims.get(personal).is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_signed_in_reaches_nothing_of_anybodys() {
    let world = World::start().await;
    for (method, path) in [
        (Method::GET, "/api/auth/session/validate"),
        (Method::GET, "/api/auth/sessions"),
        (Method::DELETE, "/api/auth/sessions"),
        (Method::DELETE, "/api/auth/sessions/00000002-0001-4000-8000-000000000001"),
        (Method::DELETE, "/api/auth/session/logout"),
        (Method::GET, "/api/auth/sign-ins"),
        (Method::DELETE, "/api/auth/users/00000001-0001-4000-8000-000000000011/sessions"),
        (Method::POST, "/api/auth/users/00000001-0001-4000-8000-000000000011/reset-password"),
    ] {
        let seen = Seen::of(world.from("192.0.2.1", method.clone(), path)).await;
        assert_eq!((seen.status, seen.code().as_str()), (401, "unauthenticated"), "{method} {path}");
    }
}
