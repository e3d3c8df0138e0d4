//! A PostgreSQL of the soak's own, which can be killed and comes back.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use embedded_postgres::{Cluster, ClusterOptions};
use postgres_link::{AdminConn, ConnectOptions};
use rustix::process::{Pid, Signal, kill_process};

use crate::Outcome;

/// So many sessions at most.
const CONNECTIONS: &str = "90";

/// It listens on the same port for as long as the soak lasts.
pub struct Server {
    options: ClusterOptions,
    cluster: Mutex<Option<Cluster>>,
    /// Without a database.
    url: String,
    /// Fills the disk, where it has a small one.
    filler: PathBuf,
}

/// A row: cells, of which NULL is empty.
pub type Row = Vec<String>;

impl Server {
    /// Starts it in a folder.
    pub fn start(folder: &Path) -> Outcome<Self> {
        let mut options = ClusterOptions::new(folder.join("server"))
            .unsafe_without_fsync()
            .setting("max_connections", CONNECTIONS)
            .setting("shared_buffers", "64MB")
            .setting("max_wal_size", "64MB")
            .setting("min_wal_size", "32MB")
            .setting("autovacuum_naptime", "10s")
            .setting("restart_after_crash", "on");
        let cluster = Cluster::start(&options).map_err(|error| error.to_string())?;
        options.port = Some(cluster.port());
        let url = cluster.url("");
        Ok(Self { options, cluster: Mutex::new(Some(cluster)), url, filler: folder.join("filler") })
    }

    /// With the password: for connecting, not for printing.
    pub fn url(&self, database: &str) -> String {
        self.url.replacen("/?", &format!("/{database}?"), 1)
    }

    /// Where it listens.
    pub fn address(&self) -> std::net::SocketAddr {
        std::net::SocketAddr::from(([127, 0, 0, 1], self.options.port.unwrap_or_default()))
    }

    /// Its own file that fills the disk.
    pub fn filler(&self) -> &Path {
        &self.filler
    }

    /// Sends the postmaster a signal; nothing where there is none.
    pub fn signal(&self, signal: Signal) {
        let cluster = self.cluster.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let running = cluster.as_ref().filter(|cluster| cluster.is_running());
        if let Some(pid) = running.and_then(|cluster| Pid::from_raw(cluster.pid())) {
            // It may have ended meanwhile.
            let _ = kill_process(pid, signal);
        }
    }

    /// Starts it again, unless it runs. Blocks until it takes sessions.
    pub fn ensure_running(&self) -> Outcome<()> {
        let mut cluster = self.cluster.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if cluster.as_ref().is_some_and(Cluster::is_running) {
            return Ok(());
        }
        // The folder's lock goes with the old value.
        *cluster = None;
        *cluster = Some(Cluster::start(&self.options).map_err(|error| error.to_string())?);
        Ok(())
    }

    /// How to reach it directly, past all that is broken between.
    pub fn options(&self, database: &str) -> Outcome<ConnectOptions> {
        let options = ConnectOptions::parse_with(&self.url(database), &|_| None).map_err(|error| error.to_string())?;
        Ok(options.with_application_name("soak"))
    }

    /// A session of the superuser, directly.
    pub async fn session(&self, database: &str) -> Outcome<AdminConn> {
        postgres_link::connect(&self.options(database)?).await.map_err(|error| error.to_string())
    }

    /// What a query answers.
    pub async fn rows(&self, database: &str, sql: &str) -> Outcome<Vec<Row>> {
        let session = self.session(database).await?;
        let outcome = session.batch(sql).await.map_err(|error| format!("{error} in: {sql}"))?;
        let rows = outcome.rows().map(|row| row.iter().map(|cell| cell.clone().unwrap_or_default()).collect());
        let rows = rows.collect();
        session.close().await;
        Ok(rows)
    }

    /// The first cell of what it answers; empty where there is none.
    pub async fn value(&self, database: &str, sql: &str) -> Outcome<String> {
        Ok(self
            .rows(database, sql)
            .await?
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next())
            .unwrap_or_default())
    }
}
