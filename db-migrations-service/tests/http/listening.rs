//! Those who listen to events, and other copies of the service to listen to.

use std::time::{Duration, Instant};

use db_migrations_service::events::RedisState;
use db_migrations_service::operations::{Operations, Recording};
use db_migrations_service::settings::Settings;
use db_migrations_service::{STARTUP_PART, Service};
use kernel::Secret;
use postgres_link::AdminConn;
use reqwest::Method;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::redis_server::RedisServer;
use crate::world::{World, admin};

pub const PATIENCE: Duration = Duration::from_secs(30);
/// Half a second is what it takes, on a machine that has little else to do.
pub const SOON: time::Duration = time::Duration::seconds(5);

/// One message of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub id: i64,
    pub kind: String,
    pub data: Value,
}

/// An open stream.
pub struct Listening {
    response: reqwest::Response,
    text: String,
    begun: bool,
    /// All that was heard.
    pub heard: Vec<Message>,
}

impl Listening {
    pub async fn at(world: &World, address: std::net::SocketAddr, query: &str, last: Option<i64>) -> Self {
        let mut request = world.request(Method::GET, "/api/events").build().expect("a request");
        *request.url_mut() = format!("http://{address}/api/events{query}").parse().expect("a URL");
        if let Some(last) = last {
            request.headers_mut().insert("last-event-id", last.to_string().parse().expect("a number"));
        }
        let response = reqwest::Client::builder().no_proxy().build().expect("a client").execute(request).await;
        let response = response.expect("the server answers");
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut listening = Self { response, text: String::new(), begun: false, heard: Vec::new() };
        // It says where it begins; from there on nothing is missed.
        while !listening.begun {
            assert!(listening.read().await, "the stream ended at once");
        }
        listening
    }

    pub async fn to(world: &World, query: &str) -> Self {
        Self::at(world, world.address, query, None).await
    }

    pub async fn read(&mut self) -> bool {
        let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("something comes");
        let Some(chunk) = chunk.expect("the stream goes on") else { return false };
        self.text.push_str(std::str::from_utf8(&chunk).expect("whole messages"));
        while let Some((message, rest)) = self.text.split_once("\n\n") {
            self.heard.extend(parsed(message));
            self.begun = true;
            let rest = rest.to_owned();
            self.text = rest;
        }
        true
    }

    /// Reads on until a message of this type has come.
    pub async fn until(&mut self, kind: &str) -> Message {
        let give_up = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < give_up, "waited in vain for {kind:?}: {:?}", self.heard);
            if let Some(found) = self.heard.iter().find(|message| message.kind == kind) {
                return found.clone();
            }
            assert!(self.read().await, "the stream ended without {kind:?}: {:?}", self.heard);
        }
    }

    pub fn kinds(&self) -> Vec<&str> {
        self.heard.iter().map(|message| message.kind.as_str()).collect()
    }
}

fn parsed(message: &str) -> Option<Message> {
    let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name));
    let data = serde_json::from_str(field("data: ")?).expect("JSON");
    let id = field("id: ").expect("an id").parse().expect("a number");
    Some(Message { id, kind: field("event: ").expect("a type").to_owned(), data })
}

/// Another copy of the service on the same master database.
pub struct Copy {
    pub operations: Operations,
    pub address: std::net::SocketAddr,
    shutdown: CancellationToken,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Copy {
    pub async fn of(world: &World, redis: Option<&RedisServer>) -> Self {
        let redis_url = redis.map(|redis| Secret::new(redis.url()));
        Self::with(world, Settings { redis_url, ..Settings::default() }).await
    }

    /// With these settings, but for where it listens, and without the watch.
    pub async fn with(world: &World, settings: Settings) -> Self {
        let operations =
            Operations::new(world.operations.project().clone(), world.operations.targets().clone(), Recording::First);
        operations.call_webhooks_by(world.operations.webhook_ways().clone());
        let settings = Settings { port: 0, watch_interval: None, ..settings };
        let service = Service::bind(operations.clone(), &settings).await.expect("a free port");
        let (address, readiness, shutdown) = (service.address(), service.readiness(), CancellationToken::new());
        readiness.report(STARTUP_PART, true);
        let server = tokio::spawn(service.serve(shutdown.clone()));
        readiness.ready().await;
        Self { operations, address, shutdown, server }
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        self.server.await.expect("no panic").expect("in good order");
    }
}

pub async fn master(world: &World) -> AdminConn {
    admin(&format!("master{}", world.suffix())).await
}

/// Every event that is kept, by number and type.
pub async fn kept(world: &World) -> Vec<(i64, String)> {
    let rows = master(world).await.batch("SELECT id, type FROM migration_service.event ORDER BY id").await;
    let rows = rows.expect("the table is there");
    rows.rows()
        .map(|row| (row[0].as_deref().expect("an id").parse().expect("a number"), row[1].clone().expect("a type")))
        .collect()
}

pub fn names(messages: &[Message]) -> Vec<(i64, String)> {
    messages.iter().map(|message| (message.id, message.kind.clone())).collect()
}

pub async fn redis_is(operations: &Operations, wanted: impl Fn(&RedisState) -> bool) {
    let mut state = operations.redis().expect("one is configured").follow();
    tokio::time::timeout(PATIENCE, state.wait_for(|state| wanted(state))).await.expect("in time").expect("it lives");
}

/// A migration that waits until the test lets it go on.
pub const GATE: i64 = 4_711;

pub fn gated() -> Vec<(&'static str, &'static str)> {
    vec![
        ("migrations/nada{s}/1_wait.up.sql", "CREATE TABLE nada{s}.uno (id int); SELECT pg_advisory_xact_lock(4711);"),
        ("migrations/nada{s}/1_wait.down.sql", "DROP TABLE nada{s}.uno;"),
        ("migrations/nada{s}/2_go_on.up.sql", "-- requires: nada{s}/1\nCREATE TABLE nada{s}.dos (id int);"),
        ("migrations/nada{s}/2_go_on.down.sql", "DROP TABLE nada{s}.dos;"),
    ]
}

/// How long after it happened an event has come.
pub fn behind(message: &Message) -> time::Duration {
    let at = message.data["at"].as_str().expect("a time");
    let at = time::OffsetDateTime::parse(at, &time::format_description::well_known::Rfc3339).expect("RFC 3339");
    time::OffsetDateTime::now_utc() - at
}
