//! The gateway and what stands behind it, for the benchmark:
//!
//!     gateway-runner upstream           a service that answers 1 KiB at once; also the auth service whose key is published
//!     gateway-runner gateway URL FILE   the gateway in front of it, with the route table of the file
//!
//! Both print their address, and the service a token that is good for an hour, and run until they are killed.

use std::error::Error;

use axum::Router;
use axum::routing::get;
use gateway::{Gateway, Settings};
use identity::{Access, SigningKey, Terms};
use kernel::{AppRole, SessionId, UserId};
use time::{Duration, OffsetDateTime};
use tokio::net::TcpListener;
use uuid::Uuid;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["upstream"] => runtime.block_on(upstream()),
        ["gateway", url, file] => runtime.block_on(gateway(url, file)),
        _ => Err("usage: gateway-runner upstream | gateway-runner gateway URL FILE".into()),
    }
}

async fn upstream() -> Result<(), Failure> {
    let key = SigningKey::generate()?;
    let somebody = Access {
        user: UserId::new(Uuid::new_v4()),
        session: SessionId::new(Uuid::new_v4()),
        organization: None,
        role: Some(AppRole::Teacher),
    };
    let terms = Terms { lifetime: Duration::hours(1), ..Terms::platform() };
    let token = terms.issue(&somebody, &key, OffsetDateTime::now_utc()).ok_or("no token")?;
    let keys = key.public().to_json();
    let body: &'static str = Box::leak("x".repeat(1024).into_boxed_str());
    let routes = Router::new()
        .route("/api/bench", get(async move || body))
        .route("/ready", get(async || "{}"))
        .route("/.well-known/jwks.json", get(async move || keys))
        .route("/.well-known/revoked-sessions", get(async || "{\"revoked\":[]}"));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{} {token}", listener.local_addr()?);
    Ok(axum::serve(listener, routes).await?)
}

async fn gateway(url: &str, file: &str) -> Result<(), Failure> {
    let mut settings = Settings { port: 0, metrics: None, routes: Some(file.into()), ..Settings::default() };
    settings.keyring = keyring::Settings::of(url);
    settings.addresses.insert("bench".to_owned(), url.to_owned());
    let gateway = Gateway::bind(&settings).await?;
    gateway.known().await;
    println!("{}", gateway.address());
    Ok(gateway.serve(tokio_util::sync::CancellationToken::new()).await?)
}
