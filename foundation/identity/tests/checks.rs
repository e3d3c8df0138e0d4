//! Checks 9, 10 and 11 of the list of security checks: what is believed of a token, and what never is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::{Access, KeySet, Refused, SigningKey, Terms};
use kernel::{AppRole, OrganizationId, SessionId, UserId};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

fn terms() -> Terms {
    Terms {
        issuer: "https://auth.escuela.example".to_owned(),
        audience: "profe".to_owned(),
        lifetime: Duration::minutes(10),
    }
}

fn teacher() -> Access {
    Access {
        user: UserId::new(Uuid::from_u128(1)),
        session: SessionId::new(Uuid::from_u128(2)),
        organization: Some(OrganizationId::new(Uuid::from_u128(3))),
        role: Some(AppRole::Teacher),
    }
}

fn noon() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_795_000_000).expect("a time")
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token whose header and members are these, rightly signed by `key`.
fn signed(key: &SigningKey, header: &Value, members: &Value) -> String {
    let message = format!("{}.{}", part(header), part(members));
    let pair = ring::signature::Ed25519KeyPair::from_pkcs8(key.pkcs8()).expect("a key");
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes())))
}

fn header(key: &SigningKey) -> Value {
    json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": key.id() })
}

fn members() -> Value {
    let now = noon().unix_timestamp();
    json!({
        "iss": terms().issuer, "aud": terms().audience, "sub": teacher().user, "sid": teacher().session,
        "org": teacher().organization, "role": "teacher", "iat": now, "nbf": now, "exp": now + 600,
        "jti": Uuid::from_u128(9),
    })
}

fn with(mut value: Value, name: &str, other: Value) -> Value {
    value[name] = other;
    value
}

fn without(mut value: Value, name: &str) -> Value {
    value.as_object_mut().expect("an object").remove(name);
    value
}

#[test]
fn what_is_issued_is_believed_until_it_is_over() {
    let key = SigningKey::generate().expect("randomness");
    let token = terms().issue(&teacher(), &key, noon()).expect("a token");
    let believed = |after: Duration| terms().believe(&token, &key.public(), noon() + after);
    assert_eq!(believed(Duration::ZERO), Ok(teacher()));
    assert_eq!(believed(Duration::minutes(10)), Ok(teacher()), "clocks differ a little");
    assert_eq!(believed(Duration::minutes(10) + Duration::seconds(30)), Err(Refused::Expired));
    assert_eq!(believed(Duration::seconds(-30)), Ok(teacher()));
    assert_eq!(believed(Duration::seconds(-31)), Err(Refused::NotYet));
    // Two of the same moment are two.
    assert_ne!(terms().issue(&teacher(), &key, noon()), Some(token));
}

#[test]
fn keys_are_rotated_without_anybody_noticing() {
    let (old, new) = (SigningKey::generate().expect("randomness"), SigningKey::generate().expect("randomness"));
    let both = KeySet::from_json(&old.public().and(new.public()).to_json()).expect("a document");
    for key in [&old, &new] {
        let token = terms().issue(&teacher(), key, noon()).expect("a token");
        assert_eq!(terms().believe(&token, &both, noon()), Ok(teacher()));
    }
    let token = terms().issue(&teacher(), &old, noon()).expect("a token");
    assert_eq!(terms().believe(&token, &new.public(), noon()), Err(Refused::UnknownKey));
}

#[test]
fn check_9_only_our_algorithm_and_our_keys_are_believed() {
    let key = SigningKey::generate().expect("randomness");
    let refused = |header: Value| {
        terms().believe(&signed(&key, &header, &members()), &key.public(), noon()).expect_err("not believed")
    };
    assert_eq!(terms().believe(&signed(&key, &header(&key), &members()), &key.public(), noon()), Ok(teacher()));
    for alg in ["none", "None", "HS256", "RS256", "ES256", "PS512", "EDDSA", ""] {
        assert_eq!(refused(with(header(&key), "alg", json!(alg))), Refused::Algorithm, "{alg}");
    }
    assert_eq!(refused(without(header(&key), "alg")), Refused::Algorithm);
    for id in [json!("another"), json!(""), json!("../../etc/passwd"), Value::Null] {
        assert_eq!(refused(with(header(&key), "kid", id)), Refused::UnknownKey);
    }
    let jwk: Value = serde_json::from_str(&key.public().to_json()).expect("JSON");
    for (name, value) in [
        ("jku", json!("https://evil.example.org/jwks.json")),
        ("x5u", json!("https://evil.example.org/x5u.pem")),
        ("jwk", jwk["keys"][0].clone()),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
    ] {
        assert_eq!(refused(with(header(&key), name, value)), Refused::NotAToken, "{name}");
    }
}

/// The public key is no secret: signing with it as one must not do.
#[test]
fn check_9_a_public_key_is_no_shared_secret() {
    let key = SigningKey::generate().expect("randomness");
    let published: Value = serde_json::from_str(&key.public().to_json()).expect("JSON");
    let public = URL_SAFE_NO_PAD.decode(published["keys"][0]["x"].as_str().expect("text")).expect("base64");
    let message = format!("{}.{}", part(&with(header(&key), "alg", json!("HS256"))), part(&members()));
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &public), message.as_bytes());
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag));
    assert_eq!(terms().believe(&token, &key.public(), noon()), Err(Refused::Algorithm));
}

#[test]
fn check_9_what_was_changed_is_not_believed() {
    let key = SigningKey::generate().expect("randomness");
    let token = terms().issue(&teacher(), &key, noon()).expect("a token");
    let parts: Vec<&str> = token.split('.').collect();
    let admin = part(&with(members(), "role", json!("admin")));
    for changed in [
        format!("{}.{admin}.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)),
    ] {
        assert_eq!(terms().believe(&changed, &key.public(), noon()), Err(Refused::Signature), "{changed}");
    }
    let thief = SigningKey::generate().expect("randomness");
    let forged = signed(&thief, &header(&key), &members());
    assert_eq!(terms().believe(&forged, &key.public(), noon()), Err(Refused::Signature));
}

#[test]
fn check_10_every_member_is_there_and_is_what_it_must_be() {
    let key = SigningKey::generate().expect("randomness");
    let verdict = |members: &Value| terms().believe(&signed(&key, &header(&key), members), &key.public(), noon());
    for name in ["iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti"] {
        assert_eq!(verdict(&without(members(), name)), Err(Refused::Members), "{name}");
    }
    for name in ["exp", "nbf", "iat"] {
        for odd in [json!("1795000600"), json!(1.5e300), json!(null), json!([1_795_000_600_i64]), json!(true)] {
            assert_eq!(verdict(&with(members(), name, odd.clone())), Err(Refused::Members), "{name} {odd}");
        }
    }
    for (name, other, why) in [
        ("iss", json!("https://evil.example.org"), Refused::NotForUs),
        ("aud", json!("migration-service"), Refused::NotForUs),
        ("aud", json!(["profe", "another"]), Refused::Members),
        ("exp", json!(noon().unix_timestamp() - 31), Refused::Expired),
        ("exp", json!(i64::MIN), Refused::Expired),
        ("nbf", json!(noon().unix_timestamp() + 31), Refused::NotYet),
        ("nbf", json!(i64::MAX), Refused::NotYet),
        ("role", json!("superuser"), Refused::Members),
        ("sub", json!("1"), Refused::Members),
    ] {
        assert_eq!(verdict(&with(members(), name, other.clone())), Err(why), "{name} {other}");
    }
}

#[test]
fn check_11_nothing_else_is_an_access_token() {
    let key = SigningKey::generate().expect("randomness");
    for typ in [json!("JWT"), json!("rt+jwt"), json!("AT+JWT"), Value::Null] {
        let token = signed(&key, &with(header(&key), "typ", typ.clone()), &members());
        assert_eq!(terms().believe(&token, &key.public(), noon()), Err(Refused::NotAToken), "{typ}");
    }
    let opaque = URL_SAFE_NO_PAD.encode([7; 32]);
    let token = terms().issue(&teacher(), &key, noon()).expect("a token");
    for text in ["", ".", "..", "a.b", &opaque, &format!("{token}.x"), &format!(" {token}"), &"a".repeat(5_000)] {
        let refused = terms().believe(text, &key.public(), noon()).expect_err("not believed");
        assert!(matches!(refused, Refused::NotAToken | Refused::Algorithm), "{text:?}: {refused}");
    }
}
