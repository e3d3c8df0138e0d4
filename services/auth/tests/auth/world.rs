//! A running auth service.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use auth::AuthSettings;
use kernel::Secret;
use mail::MailSettings;
use reqwest::{Method, RequestBuilder};
use runtime::Supervisor;
use serde_json::{Value, json};
use service::web::Readiness;
use testkit::people::PASSWORD;
use testkit::{Person, Platform};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const SECRET: &str = "a secret of forty-eight characters, for tests only";
/// Takes longer than anything here on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct World {
    pub platform: Platform,
    pub base: String,
    pub client: reqwest::Client,
    pub folder: tempfile::TempDir,
    pub settings: AuthSettings,
    running: Running,
}

struct Running {
    readiness: Readiness,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), runtime::SupervisorError>>,
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub async fn start_with(change: impl FnOnce(&mut AuthSettings)) -> Self {
        let platform = Platform::start().await;
        let folder = tempfile::tempdir().expect("a folder");
        let from = "profe@escuela.example".parse().expect("an address");
        let mut settings =
            AuthSettings::with(Secret::new(SECRET), MailSettings::folder(folder.path().join("mail"), from));
        settings.service = platform.settings(&auth::DEFINITION).await;
        // It believes the keys that it publishes itself, so its address has to be known before; one of its own for each test.
        let [a, b, c, ..] = *Uuid::new_v4().as_bytes();
        let own = Ipv4Addr::new(127, a.max(1), b, c.max(1));
        settings.service.bind = IpAddr::V4(own);
        settings.service.port = auth::DEFINITION.port;
        let base = format!("http://{own}:{}", auth::DEFINITION.port);
        settings.service.keyring.auth.clone_from(&base);
        change(&mut settings);
        let running = run(settings.clone()).await;
        // After the service, whose keyring says what TLS is made of.
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let world = Self { platform, base, client, folder, settings, running };
        world.running.readiness.ready().await;
        world
    }

    /// Stops the service and starts it again with what `change` changes. Not ready yet.
    pub async fn restart(&mut self, change: impl FnOnce(&mut AuthSettings)) {
        self.running.shutdown.cancel();
        let task = std::mem::replace(&mut self.running.task, tokio::spawn(async { Ok(()) }));
        task.await.expect("no panic").expect("it stops in order");
        change(&mut self.settings);
        self.running = run(self.settings.clone()).await;
    }

    pub async fn ready(&self) {
        self.running.readiness.ready().await;
    }

    pub fn missing(&self) -> Vec<&'static str> {
        self.running.readiness.missing()
    }

    /// From another machine than this one.
    pub fn from(&self, address: &str, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.base))
            .header("x-forwarded-for", address)
            .header("user-agent", "Navegador de prueba")
    }

    pub async fn post(&self, path: &str, body: Value) -> Seen {
        Seen::of(self.from("192.0.2.1", Method::POST, path).json(&body)).await
    }

    pub async fn call(&self, token: &str, method: Method, path: &str) -> Seen {
        Seen::of(self.from("192.0.2.1", method, path).bearer_auth(token)).await
    }

    pub async fn call_with(&self, token: &str, method: Method, path: &str, body: Value) -> Seen {
        Seen::of(self.from("192.0.2.1", method, path).bearer_auth(token).json(&body)).await
    }

    pub async fn login_from(&self, address: &str, email: &str, password: &str) -> Seen {
        let body = json!({ "email": email, "password": password });
        Seen::of(self.from(address, Method::POST, "/api/auth/login").json(&body)).await
    }

    pub async fn login(&self, person: &Person) -> SignedIn {
        SignedIn::of(&self.login_from("192.0.2.1", person.email, PASSWORD).await)
    }

    pub async fn refresh(&self, token: &str) -> Seen {
        self.post("/api/auth/refresh-token", json!({ "refreshToken": token })).await
    }

    /// As the superuser of the database.
    pub async fn sql(&self, sql: &str) {
        self.platform.db.session().await.batch(sql).await.unwrap_or_else(|error| panic!("{error}\nin: {sql}"));
    }

    pub async fn value(&self, sql: &str) -> String {
        self.platform.db.value(sql).await.unwrap_or_default()
    }

    /// The letters so far to this address, oldest first, decoded as far as tests need it.
    pub fn letters(&self, to: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.folder.path().join("mail")) else { return Vec::new() };
        let mut files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
        files.sort();
        let letters = files.iter().filter(|path| path.extension().is_some_and(|end| end == "eml"));
        let letters = letters.map(|path| decoded(&std::fs::read_to_string(path).expect("a letter")));
        letters.filter(|letter| letter.contains(&format!("To: {to}\r\n"))).collect()
    }

    /// Waits until so many letters went to this address; the last one.
    pub async fn letter(&self, to: &str, count: usize) -> String {
        until(async || self.letters(to).len() >= count).await;
        self.letters(to).pop().expect("at least one")
    }

    /// Waits until nothing is left to be done.
    pub async fn settled(&self) {
        until(async || self.value("SELECT count(*) FROM auth.errands WHERE due_at < '2900-01-01'").await == "0").await;
    }

    /// Registers somebody new and follows their link.
    pub async fn register(&self, email: &str, password: &str, more: Value) -> Seen {
        let mut body = json!({ "email": email, "password": password, "name": "Docente Nueva" });
        for (name, value) in more.as_object().expect("members") {
            body[name] = value.clone();
        }
        let seen = self.post("/api/auth/register", body).await;
        assert_eq!(seen.status, 202, "{seen:?}");
        let link = link_in(&self.letter(email, 1).await);
        let verified = Seen::of(self.client.get(format!("{}{}", self.base, path_of(&link)))).await;
        assert_eq!(verified.status, 200, "{verified:?}");
        verified
    }
}

async fn run(settings: AuthSettings) -> Running {
    let service = auth::bind(settings).await.expect("it starts");
    let (shutdown, readiness) = (CancellationToken::new(), service.readiness());
    let mut supervisor = Supervisor::new(shutdown.clone());
    supervisor.add(service);
    Running { readiness, shutdown, task: tokio::spawn(supervisor.run()) }
}

/// Asks again until it is so.
pub async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("in time");
}

/// Quoted-printable, which is all that our letters use.
fn decoded(letter: &str) -> String {
    let mut bytes = Vec::new();
    let text = letter.replace("=\r\n", "");
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        let (byte, left) = match hex {
            Some(byte) if *first == b'=' => (byte, &after[2..]),
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = left;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub fn link_in(letter: &str) -> String {
    let at = letter.find("http").unwrap_or_else(|| panic!("no link in {letter}"));
    letter[at..].split_whitespace().next().expect("a link").to_owned()
}

pub fn path_of(link: &str) -> String {
    link.splitn(4, '/').nth(3).map(|path| format!("/{path}")).expect("a path")
}

/// The token of a link to set a password.
pub fn token_of(link: &str) -> String {
    link.split_once("#token=").unwrap_or_else(|| panic!("no token behind the # of {link}")).1.to_owned()
}

#[derive(Debug)]
pub struct SignedIn {
    pub token: String,
    pub refresh: String,
    pub body: Value,
}

impl SignedIn {
    pub fn of(seen: &Seen) -> Self {
        assert_eq!(seen.status, 200, "{seen:?}");
        let body = seen.json();
        let text = |name: &str| body[name].as_str().expect("a text").to_owned();
        Self { token: text("token"), refresh: text("refreshToken"), body }
    }

    /// What the access token says.
    pub fn claims(&self) -> Value {
        use base64::Engine as _;
        let part = self.token.split('.').nth(1).expect("a JWT");
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).expect("base64");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    pub fn session(&self) -> String {
        self.claims()["sid"].as_str().expect("a session").to_owned()
    }
}

#[derive(Debug)]
pub struct Seen {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Seen {
    pub async fn of(request: RequestBuilder) -> Self {
        let answer = request.send().await.expect("the service answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Self { status, headers, text: answer.text().await.expect("a whole answer") }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The body without what differs from request to request.
    pub fn same(&self) -> Value {
        let mut body = self.json();
        if let Some(members) = body.as_object_mut() {
            members.remove("requestId");
        }
        body
    }
}
