//! Webhooks: signed, or refused.

use hmac::{Hmac, KeyInit as _, Mac as _};
use kernel::Secret;
use sha2::Sha256;
use time::OffsetDateTime;

use crate::world::{TABLE, World};

fn signed(secret: &str, timestamp: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(format!("{timestamp}.{body}").as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().fold("v1=".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[tokio::test]
async fn webhooks_are_verified_and_passed_on() {
    let secret = |settings: &mut gateway::Settings, _: &crate::service::Service| {
        settings.webhook_secrets.insert("things".to_owned(), Secret::new("geheim"));
    };
    let world = World::with(TABLE, secret).await;
    let body = r#"{"type":"applied"}"#;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let (fresh, old) = (now.to_string(), (now - 301).to_string());
    let post = async |path: &str, timestamp: &str, signature: &str, body: &str| {
        let request =
            world.http.post(world.url(path)).header("profe-timestamp", timestamp).header("profe-signature", signature);
        request.header("profe-delivery", "7").body(body.to_owned()).send().await.expect("an answer").status().as_u16()
    };
    let good = signed("geheim", &fresh, body);
    let there = "/api/webhooks/things";
    assert_eq!(post(there, &fresh, &good, body).await, 200);
    let seen = world.things.last();
    assert_eq!((seen.uri.path(), &seen.body[..]), ("/api/things/webhooks", body.as_bytes()));
    assert_eq!(seen.headers["profe-delivery"], "7");
    assert_eq!(post("/api/v1/webhooks/things", &fresh, &good, body).await, 200);
    assert_eq!(post(there, &fresh, &good, r#"{"type":"failed"}"#).await, 401, "another body");
    assert_eq!(post(there, &fresh, &signed("guess", &fresh, body), body).await, 401, "another secret");
    assert_eq!(post(there, &old, &signed("geheim", &old, body), body).await, 401, "long ago");
    assert_eq!(post(there, &old, &good, body).await, 401, "another time");
    assert_eq!(post(there, &fresh, "v1=zz", body).await, 401);
    assert_eq!(post(there, &fresh, &good[3..], body).await, 401);
    assert_eq!(post("/api/webhooks/nobody", &fresh, &good, body).await, 404);
    assert_eq!(world.get(there).await.status(), 405);
    assert_eq!(world.things.seen().len(), 2);
}

#[tokio::test]
async fn without_a_secret_no_webhook_is_taken() {
    let world = World::start().await;
    let now = OffsetDateTime::now_utc().unix_timestamp().to_string();
    let request = world.http.post(world.url("/api/webhooks/things")).header("profe-timestamp", &now);
    let answer = request.header("profe-signature", signed("", &now, "{}")).body("{}").send().await.expect("an answer");
    assert_eq!(answer.status(), 404);
    assert!(world.things.seen().is_empty());
}
