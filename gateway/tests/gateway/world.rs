//! An auth service that publishes a key, services, and a gateway in front of them.

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use gateway::{Gateway, Settings};
use identity::{Access, SigningKey, Terms};
use kernel::{AppRole, SessionId, UserId};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::service::Service;

/// A service `things` with routes of every kind.
pub const TABLE: &str = r#"
versions = ["/api/v1"]

[upstreams]
things = { addresses = "http://127.0.0.1:1", webhook = "/api/things/webhooks" }

[[routes]]
name = "things"
paths = ["/api/things"]
upstream = "things"
body_limit = "1 MiB"

[[routes]]
name = "open"
paths = ["/api/open"]
to = "/api/things/open"
upstream = "things"
access = "public"
upgrade = true
body_limit = "1 GiB"

[[routes]]
name = "own"
paths = ["/api/own"]
upstream = "things"
access = "own"

[[routes]]
name = "costly"
paths = ["/api/costly"]
upstream = "things"
limit = { requests = 1, seconds = 3600, burst = 2 }

[[routes]]
name = "quick"
paths = ["/api/quick"]
upstream = "things"
access = "public"
timeout_s = 1
"#;

/// A whole platform of one service.
pub struct World {
    pub address: SocketAddr,
    pub metrics: SocketAddr,
    pub key: SigningKey,
    pub things: Service,
    pub ended: Arc<Mutex<Vec<SessionId>>>,
    pub shutdown: CancellationToken,
    pub served: JoinHandle<()>,
    pub http: reqwest::Client,
}

/// Settings for a test: free ports, and looks that do not wait.
pub fn settings(auth: SocketAddr) -> Settings {
    let mut settings = Settings { port: 0, metrics: Some(([127, 0, 0, 1], 0).into()), ..Settings::default() };
    settings.keyring = keyring::Settings::of(format!("http://{auth}"));
    settings.keyring.sessions_every = Duration::from_millis(5);
    settings.times.check_every = Duration::from_millis(50);
    settings.times.reload_every = Duration::from_millis(10);
    settings.allowed_origins = vec!["https://panel.example.org".to_owned()];
    settings
}

impl World {
    pub async fn start() -> Self {
        Self::with(TABLE, |_, _| {}).await
    }

    /// With this table, and settings that a test changes.
    pub async fn with(table: &str, change: impl FnOnce(&mut Settings, &Service)) -> Self {
        let key = SigningKey::generate().expect("randomness");
        let ended = Arc::<Mutex<Vec<SessionId>>>::default();
        let auth = auth(&key, Arc::clone(&ended)).await;
        let things = Service::start();
        let mut settings = settings(auth);
        settings.addresses.insert("things".to_owned(), things.url());
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), table).expect("written");
        settings.routes = Some(file.path().to_owned());
        change(&mut settings, &things);
        let gateway = Gateway::bind(&settings).await.expect("a gateway");
        gateway.known().await;
        let (address, metrics) = (gateway.address(), gateway.metrics_address().expect("it has one"));
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let served = tokio::spawn(async move {
            let _file = file;
            gateway.serve(stop).await.expect("served");
        });
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { address, metrics, key, things, ended, shutdown, served, http }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn token(&self) -> String {
        self.token_of(&somebody())
    }

    pub fn token_of(&self, access: &Access) -> String {
        Terms::platform().issue(access, &self.key, OffsetDateTime::now_utc()).expect("a token")
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(self.url(path)).send().await.expect("an answer")
    }

    /// As somebody who has signed in.
    pub async fn get_as(&self, path: &str, token: &str) -> reqwest::Response {
        self.http.get(self.url(path)).bearer_auth(token).send().await.expect("an answer")
    }

    /// These bytes on a connection of their own, and all that comes back until it is closed.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        stream.write_all(bytes).await.expect("written");
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        // The gateway closes after a refusal; an answer before a close says so too.
        let _ = tokio::time::timeout(Duration::from_secs(20), read).await.expect("it is closed");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

pub fn somebody() -> Access {
    Access {
        user: UserId::new(Uuid::new_v4()),
        session: SessionId::new(Uuid::new_v4()),
        organization: None,
        role: Some(AppRole::Teacher),
    }
}

async fn auth(key: &SigningKey, ended: Arc<Mutex<Vec<SessionId>>>) -> SocketAddr {
    let keys = key.public().to_json();
    let list = move || {
        let until = OffsetDateTime::now_utc().unix_timestamp() + 600;
        let one = |session: &SessionId| format!(r#"{{"session":"{session}","until":{until}}}"#);
        let all: Vec<_> = ended.lock().expect("a lock").iter().map(one).collect();
        std::future::ready(format!(r#"{{"revoked":[{}]}}"#, all.join(",")))
    };
    let routes = Router::new()
        .route("/.well-known/jwks.json", get(async move || keys))
        .route("/.well-known/revoked-sessions", get(list));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(axum::serve(listener, routes).into_future());
    address
}

/// Asks again until it holds: for what happens beside requests, such as a table that is read again.
pub async fn until<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asked).await.expect("it comes to hold")
}
