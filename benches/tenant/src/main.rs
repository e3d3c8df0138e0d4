//! Requests through the data door, for the benchmark: `tenant-runner URL CLIENTS SECONDS ID,ID…` has so many clients read
//! their own organization, one of those named, as often as they can. Prints one line of JSON.

use std::error::Error;
use std::time::{Duration, Instant};

use kernel::{AppRole, Caller, Claims, OrganizationId, RequestId, UserId};
use postgres_link::tenant::{Access, ConnectOptions, PoolSettings, TenantPool};
use uuid::Uuid;

type Failure = Box<dyn Error + Send + Sync>;

/// What pgbench reads without policies.
const READ: &str = "SELECT id, name, email FROM organizations.organizations WHERE id = $1";

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, clients, seconds, ids] = arguments.as_slice() else {
        return Err("usage: tenant-runner URL CLIENTS SECONDS ID,ID…".into());
    };
    let ids = ids.split(',').map(str::parse).collect::<Result<Vec<Uuid>, _>>()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(url.parse()?, clients.parse()?, Duration::from_secs(seconds.parse()?), ids))
}

async fn run(options: ConnectOptions, clients: usize, time: Duration, ids: Vec<Uuid>) -> Result<(), Failure> {
    let pool = TenantPool::new(options, PoolSettings { size: clients, ..PoolSettings::default() });
    // Every session has to have prepared its statement.
    client(pool.clone(), ids.clone(), 0, Instant::now() + Duration::from_millis(100)).await?;
    let begun = Instant::now();
    let tasks: Vec<_> =
        (0..clients).map(|number| tokio::spawn(client(pool.clone(), ids.clone(), number, begun + time))).collect();
    let mut taken_us = Vec::new();
    for task in tasks {
        taken_us.extend(task.await??);
    }
    let elapsed = begun.elapsed();
    taken_us.sort_unstable();
    let percentile = |part: usize| taken_us[taken_us.len() * part / 100];
    println!(
        "{}",
        serde_json::json!({
            "requests": taken_us.len(), "per_second": taken_us.len() as f64 / elapsed.as_secs_f64(),
            "p50_us": percentile(50), "p99_us": percentile(99),
        })
    );
    Ok(())
}

/// Microseconds of each request. A request is all of it: claims are written, a session is waited for, the row is checked.
async fn client(pool: TenantPool, ids: Vec<Uuid>, number: usize, until: Instant) -> Result<Vec<u32>, Failure> {
    let request = RequestId::from(Uuid::new_v4());
    let mut taken_us = Vec::new();
    let mut at = number;
    loop {
        let begun = Instant::now();
        if begun >= until {
            return Ok(taken_us);
        }
        at = (at * 5 + 3) % ids.len();
        let id = ids[at];
        let claims = Claims::new(Caller {
            user: UserId::new(id),
            organization: Some(OrganizationId::new(id)),
            role: Some(AppRole::Teacher),
            session: None,
            request: request.clone(),
        });
        let row = pool.begin(&claims, Access::Read).last().query_one(READ, &[&id]).await?;
        if row.get::<_, Uuid>(0) != id {
            return Err("another organization's row".into());
        }
        taken_us.push(begun.elapsed().as_micros() as u32);
    }
}
