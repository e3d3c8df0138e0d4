//! Who signs tokens in tests of services that issue none: keys and ended sessions, published as the auth service does it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use identity::{Access, SigningKey, Terms};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::people::Person;

/// Issues tokens, and publishes what services need to believe them.
pub struct Issuer {
    key: SigningKey,
    address: SocketAddr,
    ended: Arc<Mutex<Vec<Uuid>>>,
}

impl Issuer {
    /// With a new key, on a free port.
    pub async fn start() -> Self {
        let key = SigningKey::generate().expect("randomness");
        let ended = Arc::new(Mutex::new(Vec::<Uuid>::new()));
        let keys = key.public().to_json();
        let list = Arc::clone(&ended);
        let revoked = move || async move {
            let until = OffsetDateTime::now_utc().unix_timestamp() + 900;
            let entry = |session: &Uuid| format!("{{\"session\":\"{session}\",\"until\":{until}}}");
            let entries: Vec<_> = list.lock().expect("nobody panicked with it").iter().map(entry).collect();
            ([("content-type", "application/json")], format!("{{\"revoked\":[{}]}}", entries.join(",")))
        };
        let routes = Router::new()
            .route("/.well-known/jwks.json", get(move || async move { ([("content-type", "application/json")], keys) }))
            .route("/.well-known/revoked-sessions", get(revoked));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { key, address, ended }
    }

    /// Where it publishes.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A token of somebody, in a sign-in of its own.
    pub fn token(&self, person: &Person) -> String {
        self.issue(&person.access(Uuid::new_v4()))
    }

    /// A token that says this.
    pub fn issue(&self, access: &Access) -> String {
        Terms::platform().issue(access, &self.key, OffsetDateTime::now_utc()).expect("a key that signs")
    }

    /// Ends a sign-in.
    pub fn end(&self, session: Uuid) {
        self.ended.lock().expect("nobody panicked with it").push(session);
    }
}
