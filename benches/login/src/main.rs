//! Signing in, for the benchmark: `login-runner URL EMAIL PASSWORD HASH TIMES` serves the auth service on this database and has one
//! client sign in again and again over HTTP; in turn with each, the hash alone is looked at on a thread of the same kind. Prints one line
//! of JSON.

use std::error::Error;
use std::time::{Duration, Instant};

use auth::{AuthSettings, Hasher};
use kernel::Secret;
use postgres_link::tenant::ConnectOptions;
use runtime::Supervisor;
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn Error + Send + Sync>;

/// So many of each warm up: statements are planned for good at the sixth time, on each of the sessions.
const WARM: usize = 40;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, email, password, hash, times] = arguments.as_slice() else {
        return Err("usage: login-runner URL EMAIL PASSWORD HASH TIMES".into());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let body = serde_json::json!({ "email": email, "password": password }).to_string();
    runtime.block_on(run(url.parse()?, body, &Secret::new(password), hash, times.parse()?))
}

async fn run(
    database: ConnectOptions,
    body: String,
    password: &Secret,
    hash: &str,
    times: usize,
) -> Result<(), Failure> {
    let from = "profe@escuela.example".parse().map_err(|_| "no address")?;
    let mail = mail::MailSettings::folder(std::env::temp_dir().join("profe-bench-mail"), from);
    let mut settings = AuthSettings::with(Secret::new("a secret of forty-eight characters, for measuring"), mail);
    let threads = settings.hashing_threads;
    // It believes the keys that it publishes itself, so its port has to be known before.
    settings.service.port = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
    let base = format!("http://127.0.0.1:{}", settings.service.port);
    settings.service.keyring.auth.clone_from(&base);
    settings.service.database = Some(database);
    settings.service.migrations = "http://127.0.0.1:9".to_owned();
    let service = auth::bind(settings).await?;
    let shutdown = CancellationToken::new();
    let mut supervisor = Supervisor::new(shutdown.clone());
    supervisor.add(service);
    let running = tokio::spawn(supervisor.run());
    let hasher = Hasher::start(threads)?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{base}/api/auth/login");
    let (mut logins_us, mut hashes_us) = (Vec::new(), Vec::new());
    while logins_us.len() < WARM + times {
        let begun = Instant::now();
        let request = client.post(&url).header("content-type", "application/json").body(body.clone());
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if status.as_u16() == 503 && logins_us.is_empty() {
            // Before it has a key that signs.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        }
        if !status.is_success() {
            return Err(format!("{status} {text}").into());
        }
        logins_us.push(begun.elapsed().as_micros() as u64);
        let begun = Instant::now();
        hasher.verify(password, hash).await.map_err(|_| "no thread looked")?;
        hashes_us.push(begun.elapsed().as_micros() as u64);
    }
    println!("{}", serde_json::json!({ "login": summary(&mut logins_us), "hash": summary(&mut hashes_us) }));
    shutdown.cancel();
    running.await??;
    Ok(())
}

fn summary(taken_us: &mut Vec<u64>) -> serde_json::Value {
    taken_us.drain(..WARM);
    taken_us.sort_unstable();
    let percentile = |part: usize| taken_us[taken_us.len() * part / 100];
    serde_json::json!({ "times": taken_us.len(), "p50_us": percentile(50), "p99_us": percentile(99) })
}
