//! The session on the live database: nobody else changes its schemas while it is open, and its audit knows whose it is.

use std::sync::Arc;
use std::time::Duration;

use postgres_link::quote::literal;
use postgres_link::{AdminConn, ConnectOptions};
use tokio::time::Instant;
use uuid::Uuid;

use crate::error::VaultError;
use crate::restore::own;
use crate::stage::Stages;

/// How long a session that is to end may take: one of a migration run that died, or of ours.
const EVICTION: Duration = Duration::from_secs(30);

/// How long a statement of ours waits for whoever uses what it changes.
const PATIENCE: &str = "10s";

/// What a restore into a live database needs to know of it.
#[derive(Debug, Clone)]
pub struct InPlace {
    /// The live database.
    pub live: ConnectOptions,
    /// The advisory lock that whoever runs migrations holds.
    pub run_lock: (i32, i32),
    /// The one that the session holds in which their statements run, which may outlast its process.
    pub work_lock: (i32, i32),
    /// A setting by which the database's audit knows the sessions of a superuser as the service's own, and its value.
    pub marker: Option<(&'static str, String)>,
    /// The restore's number in the audit.
    pub number: Option<Uuid>,
    /// Who asks for it.
    pub actor: String,
    /// Where the restore tells its stage.
    pub stages: Arc<Stages>,
}

impl InPlace {
    /// The database with the locks of its migrations; nothing is said of the audit.
    pub fn new(live: ConnectOptions, run_lock: (i32, i32), work_lock: (i32, i32)) -> Self {
        let (marker, number, stages) = (None, None, Arc::default());
        Self { live, run_lock, work_lock, marker, number, actor: String::new(), stages }
    }
}

/// The session, which holds the locks, and how others of the same kind are opened.
pub(crate) struct Live {
    pub conn: AdminConn,
    pub connect: ConnectOptions,
}

impl Live {
    /// No migration runs from here on, and no other restore.
    pub(crate) async fn open(target: &InPlace) -> Result<Self, VaultError> {
        let mut connect = target.live.clone().with_application_name(name(&target.actor));
        let conn = postgres_link::connect(&connect).await?;
        // It is idle while the backup is restored beside, and must keep its locks.
        let mut settings =
            format!("SET idle_session_timeout = 0; SET statement_timeout = 0; SET lock_timeout = '{PATIENCE}'");
        // Nobody else may set it.
        if let Some((marker, value)) = target.marker.as_ref().filter(|_| is_superuser(&conn)) {
            settings = format!("{settings}; SET {marker} = {}", literal(value));
            connect = connect.with_option(marker, value);
        }
        conn.batch(&settings).await.map_err(own("opening the session on the live database"))?;
        if !try_lock(&conn, target.run_lock).await? {
            return Err(VaultError::Busy);
        }
        claim_work(&conn, target.work_lock).await?;
        Ok(Self { conn, connect })
    }
}

impl Live {
    /// The same once more, after the session broke: when the server has ended what it did there.
    pub(crate) async fn again(target: &InPlace) -> Result<Self, VaultError> {
        let deadline = Instant::now() + EVICTION;
        loop {
            match Self::open(target).await {
                Err(VaultError::Busy | VaultError::Connect(_)) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                other => return other,
            }
        }
    }
}

fn is_superuser(conn: &AdminConn) -> bool {
    conn.parameter("is_superuser").as_deref() == Some("on")
}

/// As migration runs are called: whoever finds the lock held is told this.
fn name(actor: &str) -> String {
    let actor: String = actor.chars().filter(|c| !c.is_control()).take(24).collect();
    if actor.is_empty() { "profe restore".to_owned() } else { format!("profe restore by {actor}") }
}

async fn try_lock(conn: &AdminConn, key: (i32, i32)) -> Result<bool, VaultError> {
    let taken = conn.batch(&format!("SELECT pg_try_advisory_lock({}, {})", key.0, key.1)).await;
    Ok(taken.map_err(own("taking the migration lock"))?.value(0, 0) == Some("t"))
}

/// A migration run that died leaves its statement at the server. It must not commit behind the restore's back.
async fn claim_work(conn: &AdminConn, key: (i32, i32)) -> Result<(), VaultError> {
    let deadline = Instant::now() + EVICTION;
    let evict = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = {} AND objid = {} \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        key.0, key.1
    );
    while !try_lock(conn, key).await? {
        if Instant::now() >= deadline {
            return Err(VaultError::Busy);
        }
        conn.batch(&evict).await.map_err(own("ending the session of a migration run that died"))?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
