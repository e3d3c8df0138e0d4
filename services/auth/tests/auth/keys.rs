//! The keys that sign tokens.

use kernel::Secret;
use reqwest::Method;
use testkit::people::TEACHER;

use crate::world::{Seen, World};

async fn published(world: &World) -> Vec<String> {
    let seen = Seen::of(world.client.get(format!("{}/.well-known/jwks.json", world.base))).await;
    assert_eq!(seen.status, 200);
    assert!(!seen.text.contains("\"d\""), "nothing private");
    let keys = seen.json()["keys"].as_array().cloned().unwrap_or_default();
    keys.iter().map(|key| key["kid"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_without_anybody_noticing() {
    let mut world = World::start().await;
    let first = published(&world).await;
    assert_eq!(first.len(), 1, "the seeded one is over");
    let before = world.login(&TEACHER).await;
    // Twenty-nine days later the next one is published, and does not sign yet.
    world
        .sql("UPDATE auth.signing_keys SET signs_from = signs_from - interval '29 days' WHERE published_until IS NULL")
        .await;
    world.restart(|_| ()).await;
    world.ready().await;
    let both = published(&world).await;
    assert!(both.len() == 2 && both.contains(&first[0]), "{both:?}");
    let header = |token: &str| token.split('.').next().expect("a header").to_owned();
    let after = world.login(&TEACHER).await;
    assert_eq!(header(&after.token), header(&before.token));
    // A day later it signs; what the last one signed is still believed.
    world
        .sql("UPDATE auth.signing_keys SET signs_from = signs_from - interval '1 day' WHERE signs_from > '2026-09-01'")
        .await;
    world.restart(|_| ()).await;
    world.ready().await;
    let next = world.login(&TEACHER).await;
    assert_ne!(header(&next.token), header(&before.token));
    for token in [&before.token, &next.token] {
        assert_eq!(world.call(token, Method::GET, "/api/auth/sessions").await.status, 200);
    }
    // When all that it signed is over, it is gone.
    world.sql("UPDATE auth.signing_keys SET published_until = now() WHERE published_until IS NOT NULL").await;
    world.restart(|_| ()).await;
    world.ready().await;
    assert_eq!(published(&world).await.len(), 1);
    assert_eq!(world.call(&before.token, Method::GET, "/api/auth/sessions").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_sealed_and_another_secret_opens_none() {
    let mut world = World::start().await;
    let kept = "SELECT encode(sealed, 'hex') FROM auth.signing_keys WHERE published_until IS NULL";
    let sealed = world.value(kept).await;
    // The beginning of every Ed25519 key in PKCS #8.
    assert!(!sealed.contains("302e020100300506032b6570") && !sealed.contains("3051020101300506032b6570"), "{sealed}");
    world.restart(|settings| settings.secret = Secret::new("another secret of enough characters for a key")).await;
    let refused = Seen::of(world.client.get(format!("{}/.well-known/jwks.json", world.base))).await;
    assert_eq!(refused.status, 503);
    assert!(world.missing().contains(&"signing"));
    assert_eq!(world.login_from("192.0.2.1", TEACHER.email, testkit::people::PASSWORD).await.status, 503);
    assert_eq!(world.value(kept).await, sealed, "and nothing is made in its place");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_start_at_once_agree_on_a_key() {
    let mut world = World::start().await;
    world.sql("DELETE FROM auth.signing_keys").await;
    let another = |settings: &mut auth::AuthSettings| settings.service.port += 1;
    let mut second = world.settings.clone();
    another(&mut second);
    let service = auth::bind(second).await.expect("it starts");
    let mut supervisor = runtime::Supervisor::new(tokio_util::sync::CancellationToken::new());
    let readiness = service.readiness();
    supervisor.add(service);
    let running = tokio::spawn(supervisor.run());
    world.restart(|_| ()).await;
    world.ready().await;
    readiness.ready().await;
    assert_eq!(world.value("SELECT count(*) FROM auth.signing_keys").await, "1");
    running.abort();
}
