//! The user service, for the benchmark:
//!
//!     users-runner URL USER SCHOOL CLIENTS SECONDS SURNAME   serves it on this database and has so many clients ask for lists over HTTP,
//!                                                            as the administrator USER of the school; prints one line of JSON
//!     users-runner serve URL USER SCHOOL ID,ID…              serves it until it is killed; prints a line of JSON: where, where the
//!                                                            keys are, and tokens, of USER and of the students ID

use std::error::Error;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use identity::{Access, SigningKey, Terms};
use kernel::{AppRole, OrganizationId, SessionId, UserId};
use postgres_link::tenant::ConnectOptions;
use runtime::Supervisor;
use service::Cursor;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

type Failure = Box<dyn Error + Send + Sync>;

/// So many answers warm up.
const WARM: usize = 40;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", url, user, school, students] => {
            let students: Vec<&str> = students.split(',').collect();
            runtime.block_on(serve(url.parse()?, &access(user, school, AppRole::Admin)?, &students, school))
        }
        [url, user, school, clients, seconds, surname] => {
            let time = Duration::from_secs(seconds.parse()?);
            let administrator = access(user, school, AppRole::Admin)?;
            runtime.block_on(run(url.parse()?, &administrator, clients.parse()?, time, surname))
        }
        _ => Err("usage: users-runner [serve] URL USER SCHOOL …".into()),
    }
}

fn access(user: &str, school: &str, role: AppRole) -> Result<Access, Failure> {
    Ok(Access {
        user: UserId::new(user.parse()?),
        session: SessionId::new(Uuid::new_v4()),
        organization: Some(OrganizationId::new(school.parse()?)),
        role: Some(role),
    })
}

async fn serve(database: ConnectOptions, admin: &Access, students: &[&str], school: &str) -> Result<(), Failure> {
    let key = SigningKey::generate().map_err(|_| "no randomness")?;
    let auth = publish(&key).await?;
    let service = bind(database, auth.clone()).await?;
    // Tokens of one service are good for ten minutes; a measurement may take longer.
    let terms = Terms { lifetime: time::Duration::hours(1), ..Terms::platform() };
    let token = |access: &Access| terms.issue(access, &key, OffsetDateTime::now_utc()).ok_or("no token");
    let students: Vec<String> =
        students.iter().map(|id| Ok(token(&access(id, school, AppRole::Student)?)?)).collect::<Result<_, Failure>>()?;
    let said = serde_json::json!({
        "address": service.address().to_string(), "auth": auth, "admin": token(admin)?, "students": students,
    });
    println!("{said}");
    let mut supervisor = Supervisor::new(CancellationToken::new());
    supervisor.add(service);
    Ok(supervisor.run().await?)
}

async fn bind(database: ConnectOptions, auth: String) -> Result<service::Service, Failure> {
    let mail =
        mail::MailSettings::folder(std::env::temp_dir(), "profe@escuela.example".parse().map_err(|_| "no address")?);
    let mut settings = users::UsersSettings::with(mail);
    settings.service.port = 0;
    settings.service.database = Some(database);
    settings.service.keyring.auth = auth;
    settings.service.migrations = "http://127.0.0.1:9".to_owned();
    Ok(users::bind(settings).await?)
}

async fn run(
    database: ConnectOptions,
    access: &Access,
    clients: usize,
    time: Duration,
    surname: &str,
) -> Result<(), Failure> {
    let key = SigningKey::generate().map_err(|_| "no randomness")?;
    let auth = publish(&key).await?;
    let service = bind(database, auth).await?;
    let (address, shutdown) = (service.address(), CancellationToken::new());
    let mut supervisor = Supervisor::new(shutdown.clone());
    supervisor.add(service);
    let running = tokio::spawn(supervisor.run());
    // A token lives for ten minutes, longer than a measurement.
    let token = Terms::platform().issue(access, &key, OffsetDateTime::now_utc()).ok_or("no token")?;
    let base = format!("http://{address}/api/users");
    // Sixty per cent of the way through the list.
    let deep = Cursor::write(&(format!("{surname} "), Uuid::nil(), 10_001_i64));
    let mut measured = serde_json::Map::new();
    for (name, url) in [
        ("first", format!("{base}?role=student&status=active&limit=20")),
        ("deep", format!("{base}?role=student&status=active&limit=20&cursor={deep}")),
        ("search", format!("{base}/search?q={surname}%20mar")),
        ("typed", format!("{base}/search?q=ma")),
    ] {
        measured.insert(name.to_owned(), measure(&url, &token, clients, time).await?);
    }
    println!("{}", serde_json::Value::Object(measured));
    shutdown.cancel();
    running.await??;
    Ok(())
}

/// The key, as the auth service publishes it.
async fn publish(key: &SigningKey) -> Result<String, Failure> {
    let keys = key.public().to_json();
    let json = [("content-type", "application/json")];
    let routes = Router::new()
        .route("/.well-known/jwks.json", get(move || async move { (json, keys) }))
        .route("/.well-known/revoked-sessions", get(move || async move { (json, "{\"revoked\":[]}") }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(format!("http://{address}"))
}

async fn measure(url: &str, token: &str, clients: usize, time: Duration) -> Result<serde_json::Value, Failure> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let begun = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| tokio::spawn(ask(client.clone(), url.to_owned(), token.to_owned(), begun + time)))
        .collect();
    let mut taken_us = Vec::new();
    for task in tasks {
        taken_us.extend(task.await??);
    }
    taken_us.sort_unstable();
    let percentile = |part: usize| taken_us[taken_us.len() * part / 100];
    Ok(serde_json::json!({
        "requests": taken_us.len(), "per_second": taken_us.len() as f64 / time.as_secs_f64(),
        "p50_us": percentile(50), "p99_us": percentile(99),
    }))
}

/// Microseconds of each request after the first ones, until the whole answer is there.
async fn ask(client: reqwest::Client, url: String, token: String, until: Instant) -> Result<Vec<u32>, Failure> {
    let mut taken_us = Vec::new();
    let mut asked = 0;
    while Instant::now() < until {
        let begun = Instant::now();
        let answer = client.get(&url).bearer_auth(&token).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() || text.len() < 1_000 {
            // Before it has read the keys, it asks for patience.
            if asked < WARM && status.as_u16() == 503 {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            return Err(format!("{url}: {status} {text}").into());
        }
        asked += 1;
        if asked > WARM {
            taken_us.push(begun.elapsed().as_micros() as u32);
        }
    }
    Ok(taken_us)
}
