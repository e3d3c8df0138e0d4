//! The keyring against an auth service that says what a test tells it to say.

use std::future::IntoFuture as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use identity::{Access, KeySet, Refused, SigningKey, Terms};
use kernel::{SessionId, UserId};
use keyring::{Keyring, NotBelieved, Settings};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const LONG: Duration = Duration::from_hours(1);
const SHORT: Duration = Duration::from_millis(5);

/// What is published, and how often somebody came for it.
#[derive(Clone, Default)]
struct Auth {
    /// `None`: it is away.
    keys: Arc<Mutex<Option<KeySet>>>,
    ended: Arc<Mutex<Vec<(SessionId, i64)>>>,
    asked: watch::Sender<(u32, u32)>,
    unchanged: watch::Sender<u32>,
}

impl Auth {
    async fn of(key: &SigningKey) -> (Self, Settings) {
        let auth = Self { keys: Arc::new(Mutex::new(Some(key.public()))), ..Self::default() };
        let routes = Router::new()
            .route("/.well-known/jwks.json", get(jwks))
            .route("/.well-known/revoked-sessions", get(revoked))
            .with_state(auth.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut settings = Settings::of(format!("http://{}", listener.local_addr().expect("an address")));
        settings.sessions_every = SHORT;
        settings.unknown_every = LONG;
        tokio::spawn(axum::serve(listener, routes).into_future());
        (auth, settings)
    }

    fn publish(&self, keys: Option<KeySet>) {
        *self.keys.lock().expect("a lock") = keys;
    }

    fn end(&self, sessions: &[(SessionId, i64)]) {
        *self.ended.lock().expect("a lock") = sessions.to_vec();
    }

    /// Waits until the ended sessions were asked for twice more: the first answer has been taken over then.
    async fn looked(&self) {
        let mut asked = self.asked.subscribe();
        let now = asked.borrow_and_update().1;
        asked.wait_for(|asked| asked.1 > now + 1).await.expect("it goes on");
    }
}

async fn jwks(State(auth): State<Auth>) -> Response {
    let keys = auth.keys.lock().expect("a lock").clone();
    auth.asked.send_modify(|asked| asked.0 += 1);
    keys.map_or_else(|| StatusCode::SERVICE_UNAVAILABLE.into_response(), |keys| keys.to_json().into_response())
}

async fn revoked(State(auth): State<Auth>, headers: HeaderMap) -> Response {
    auth.asked.send_modify(|asked| asked.1 += 1);
    if auth.keys.lock().expect("a lock").is_none() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let ended = auth.ended.lock().expect("a lock").clone();
    let one = |(session, until): &(SessionId, i64)| format!(r#"{{"session":"{session}","until":{until}}}"#);
    let body = format!(r#"{{"revoked":[{}]}}"#, ended.iter().map(one).collect::<Vec<_>>().join(","));
    let etag = HeaderValue::from_str(&format!("\"{}\"", ended.len())).expect("a header");
    if headers.get(IF_NONE_MATCH) == Some(&etag) {
        auth.unchanged.send_modify(|times| *times += 1);
        return (StatusCode::NOT_MODIFIED, [(ETAG, etag)]).into_response();
    }
    ([(ETAG, etag)], body).into_response()
}

fn key() -> SigningKey {
    SigningKey::generate().expect("randomness")
}

fn somebody() -> Access {
    Access {
        user: UserId::new(Uuid::new_v4()),
        session: SessionId::new(Uuid::new_v4()),
        organization: None,
        role: None,
    }
}

fn token(access: &Access, key: &SigningKey) -> String {
    Terms::platform().issue(access, key, OffsetDateTime::now_utc()).expect("a token")
}

fn start(settings: Settings) -> Keyring {
    Keyring::start(settings, &CancellationToken::new()).expect("a keyring")
}

fn bearing(values: &[&str]) -> HeaderMap {
    let values = values.iter().map(|value| ("authorization".parse().expect("a name"), value.parse().expect("a value")));
    let mut headers = HeaderMap::new();
    for (name, value) in values {
        headers.append::<axum::http::HeaderName>(name, value);
    }
    headers
}

#[tokio::test]
async fn who_presents_a_token_is_believed_and_nobody_else() {
    let key = key();
    let (_auth, settings) = Auth::of(&key).await;
    let keyring = start(settings);
    keyring.known().await;
    let access = somebody();
    let token = token(&access, &key);
    assert_eq!(keyring.believe(&bearing(&[&format!("Bearer {token}")])).await, Ok(access));
    assert_eq!(keyring.believe(&bearing(&[&format!("bearer {token}")])).await, Ok(access));
    assert_eq!(keyring.believe(&HeaderMap::new()).await, Err(NotBelieved::Anonymous));
    for wrong in [&["Basic YTpi"][..], &["Bearer "], &["Bearer"], &[&format!("Bearer {token}"), "Bearer x"]] {
        assert_eq!(keyring.believe(&bearing(wrong)).await, Err(NotBelieved::NoBearer), "{wrong:?}");
    }
}

#[tokio::test]
async fn what_is_remembered_of_a_token_ends_with_it() {
    let key = key();
    let (_auth, settings) = Auth::of(&key).await;
    let keyring = start(settings);
    keyring.known().await;
    let access = somebody();
    let token = token(&access, &key);
    let now = OffsetDateTime::now_utc();
    assert_eq!(keyring.believe_at(&token, now), Ok(access));
    assert_eq!(keyring.believe_at(&token, now), Ok(access));
    let over = now + Terms::LIFETIME + time::Duration::seconds(31);
    assert_eq!(keyring.believe_at(&token, over), Err(NotBelieved::Refused(Refused::Expired)));
    let other = format!("{}A", &token[..token.len() - 1]);
    assert!(keyring.believe_at(&other, now).is_err() || other == token, "another signature is another token");
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_once_by_many_and_not_again_within_the_pause() {
    let (first, second, third) = (key(), key(), key());
    let (auth, mut settings) = Auth::of(&first).await;
    settings.unknown_every = Duration::ZERO;
    let keyring = start(settings.clone());
    keyring.known().await;
    auth.publish(Some(first.public().and(second.public())));
    let access = somebody();
    assert_eq!(keyring.believe_token(&token(&access, &second)).await, Ok(access), "rotated without anybody noticing");
    assert_eq!(keyring.believe_token(&token(&access, &first)).await, Ok(access));

    settings.unknown_every = LONG;
    let calm = start(settings);
    calm.known().await;
    let asked = auth.asked.borrow().0;
    let refused = Err(NotBelieved::Refused(Refused::UnknownKey));
    for _ in 0..20 {
        assert_eq!(calm.believe_token(&token(&access, &third)).await, refused, "a flood of made up keys asks nobody");
    }
    assert_eq!(auth.asked.borrow().0, asked);
}

#[tokio::test]
async fn many_who_meet_an_unknown_key_make_one_question() {
    let (first, second) = (key(), key());
    let (auth, mut settings) = Auth::of(&first).await;
    settings.unknown_every = Duration::from_millis(300);
    let keyring = start(settings);
    keyring.known().await;
    auth.publish(Some(second.public()));
    let access = somebody();
    let token = token(&access, &second);
    // Until the pause is over they are refused.
    while keyring.believe_token(&token).await.is_err() {}
    let asked = auth.asked.borrow().0;
    assert_eq!(asked, 2, "the first, and one for all who came meanwhile");
    let gone = self::token(&access, &first);
    assert!(
        keyring.believe_at(&gone, OffsetDateTime::now_utc()).is_err(),
        "a key that is published no more is forgotten"
    );
}

#[tokio::test]
async fn a_key_that_is_published_no_more_believes_nothing_that_is_remembered() {
    let (first, second) = (key(), key());
    let (auth, mut settings) = Auth::of(&first).await;
    settings.unknown_every = Duration::ZERO;
    let keyring = start(settings);
    keyring.known().await;
    let access = somebody();
    let old = token(&access, &first);
    assert_eq!(keyring.believe_token(&old).await, Ok(access));
    auth.publish(Some(second.public()));
    assert_eq!(keyring.believe_token(&token(&access, &second)).await, Ok(access));
    assert_eq!(keyring.believe_token(&old).await, Err(NotBelieved::Refused(Refused::UnknownKey)));
}

#[tokio::test]
async fn check_14_a_session_that_was_ended_is_refused_until_its_tokens_are_over() {
    let key = key();
    let (auth, settings) = Auth::of(&key).await;
    let keyring = start(settings);
    keyring.known().await;
    let (here, gone) = (somebody(), somebody());
    let (staying, leaving) = (token(&here, &key), token(&gone, &key));
    assert_eq!(keyring.believe_token(&leaving).await, Ok(gone), "and it is remembered");
    let later = OffsetDateTime::now_utc().unix_timestamp() + 600;
    auth.end(&[(gone.session, later)]);
    auth.looked().await;
    assert_eq!(keyring.believe_token(&leaving).await, Err(NotBelieved::Ended));
    assert_eq!(keyring.believe_token(&staying).await, Ok(here));
    // What is over is forgotten, and a list that does not change is not sent again.
    auth.end(&[(gone.session, 1), (here.session, 1)]);
    auth.looked().await;
    assert_eq!(keyring.ended(), 0);
    assert!(*auth.unchanged.borrow() > 0);
}

#[tokio::test]
async fn while_the_auth_service_is_away_the_last_keys_and_the_last_list_stand() {
    let key = key();
    let (auth, settings) = Auth::of(&key).await;
    auth.publish(None);
    let keyring = start(settings);
    let (here, gone) = (somebody(), somebody());
    assert_eq!(keyring.believe_token(&token(&here, &key)).await, Err(NotBelieved::KeysUnknown));
    assert!(!keyring.is_known());
    auth.publish(Some(key.public()));
    keyring.known().await;
    auth.end(&[(gone.session, OffsetDateTime::now_utc().unix_timestamp() + 600)]);
    auth.looked().await;
    auth.publish(None);
    auth.looked().await;
    assert_eq!(keyring.believe_token(&token(&here, &key)).await, Ok(here));
    assert_eq!(keyring.believe_token(&token(&gone, &key)).await, Err(NotBelieved::Ended));
    assert!(keyring.is_known());
}

#[tokio::test]
async fn copies_of_the_auth_service_stand_in_for_one_another() {
    let key = key();
    let (first, mut settings) = Auth::of(&key).await;
    let (second, others) = Auth::of(&key).await;
    // Nobody listens at the first place.
    settings.auth = format!("http://127.0.0.1:9, {},{}", settings.auth, others.auth);
    let keyring = start(settings);
    keyring.known().await;
    let (here, gone) = (somebody(), somebody());
    assert_eq!(keyring.believe_token(&token(&gone, &key)).await, Ok(gone));
    assert_eq!(*second.asked.borrow(), (0, 0), "who has answered is asked again");
    // One that has no keys is one that is away.
    first.publish(None);
    second.end(&[(gone.session, OffsetDateTime::now_utc().unix_timestamp() + 600)]);
    second.looked().await;
    assert_eq!(keyring.believe_token(&token(&gone, &key)).await, Err(NotBelieved::Ended));
    assert_eq!(keyring.believe_token(&token(&here, &key)).await, Ok(here));
}
