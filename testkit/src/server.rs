//! The server, and databases on it.

use std::path::PathBuf;
use std::sync::OnceLock;

use embedded_postgres::{Cluster, ClusterOptions};
use migration_engine::scratch::Scratch;
use postgres_link::{AdminConn, ConnectOptions};
use uuid::Uuid;

use crate::project::platform_project;

/// The variable that names a running server.
pub const VARIABLE: &str = "PROFE_TEST_SERVER";

/// A server that tests share.
pub struct Server {
    connect: ConnectOptions,
    /// Kept so that the cluster lives as long as the process; `None` where somebody else started it.
    cluster: Option<Cluster>,
}

static SERVER: OnceLock<Server> = OnceLock::new();

/// The server of this process.
pub fn server() -> &'static Server {
    SERVER.get_or_init(|| {
        if let Ok(url) = std::env::var(VARIABLE) {
            return Server { connect: parse(&url), cluster: None };
        }
        let cluster = start_cluster();
        Server { connect: parse(&cluster.url("postgres")), cluster: Some(cluster) }
    })
}

/// Starts a private cluster for tests: nothing is flushed, many may connect.
pub fn start_cluster() -> Cluster {
    let folder = folder();
    let options = ClusterOptions::new(&folder)
        .unsafe_without_fsync()
        .setting("max_connections", "300")
        .setting("shared_buffers", "256MB")
        .setting("max_prepared_transactions", "10");
    Cluster::start(&options).unwrap_or_else(|error| panic!("no PostgreSQL for the tests: {error}"))
}

/// A folder for the cluster, below the system's temporary folder, where the unprivileged user can reach it. Folders
/// of processes that are gone are removed.
fn folder() -> PathBuf {
    const PREFIX: &str = "profe-testkit-";
    let base = std::env::temp_dir();
    for entry in std::fs::read_dir(&base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|n| n.strip_prefix(PREFIX))
            .and_then(|n| n.split('-').next())
            .and_then(|n| n.parse::<u32>().ok());
        if pid.is_some_and(|pid| !PathBuf::from(format!("/proc/{pid}")).exists()) {
            // Another process may be removing it too, or it may belong to somebody else.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    base.join(format!("{PREFIX}{}-{}", std::process::id(), &Uuid::new_v4().simple().to_string()[..8]))
}

fn parse(url: &str) -> ConnectOptions {
    ConnectOptions::parse(url).unwrap_or_else(|error| panic!("{VARIABLE}: {error}"))
}

impl Server {
    /// How to reach it, as its superuser.
    pub fn connect(&self) -> &ConnectOptions {
        &self.connect
    }

    /// A URL with the password, for programs that a test starts.
    pub fn url(&self, database: &str) -> String {
        if let Some(cluster) = &self.cluster {
            return cluster.url(database);
        }
        let url = std::env::var(VARIABLE).expect("it was there when the server was found");
        let (base, query) = url.split_once('?').unwrap_or((&url, "sslmode=disable"));
        let (base, _) = base.rsplit_once('/').expect("the URL names a database");
        format!("{base}/{database}?{query}")
    }

    /// A new database with nothing in it.
    pub async fn empty_database(&'static self) -> TestDb {
        let name = format!("test_{}", Uuid::new_v4().simple());
        let maintenance = self.session("postgres").await;
        run(&maintenance, &format!("CREATE DATABASE \"{name}\" TEMPLATE template0")).await;
        TestDb { name: name.clone(), connect: self.connect.clone().with_database(name), server: self }
    }

    /// A new database with all of the platform's migrations and its development seeds.
    pub async fn platform_database(&'static self) -> TestDb {
        let scratch = Scratch::new(&self.connect, platform_project(), "development", true);
        let connect = scratch
            .create("test")
            .await
            .unwrap_or_else(|error| panic!("the platform's migrations do not run: {error:#?}"));
        TestDb { name: connect.database().to_owned(), connect, server: self }
    }

    /// A session on one of its databases.
    pub async fn session(&self, database: &str) -> AdminConn {
        open(&self.connect.clone().with_database(database)).await
    }
}

/// A database of one test; dropped with the value.
pub struct TestDb {
    name: String,
    connect: ConnectOptions,
    server: &'static Server,
}

impl TestDb {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How to reach it, as the superuser.
    pub fn connect(&self) -> &ConnectOptions {
        &self.connect
    }

    /// Its URL with the password, for programs that a test starts.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// A session on it.
    pub async fn session(&self) -> AdminConn {
        open(&self.connect).await
    }

    /// The first cell that `sql` answers, on a session of its own.
    pub async fn value(&self, sql: &str) -> Option<String> {
        let session = self.session().await;
        run(&session, sql).await.statements.last().and_then(|s| s.rows.first()?.first()?.clone())
    }

    /// The rows that `sql` answers, cells joined by `|`, on a session of its own.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        let session = self.session().await;
        let outcome = run(&session, sql).await;
        outcome
            .rows()
            .map(|row| row.iter().map(|c| c.as_deref().unwrap_or("∅")).collect::<Vec<_>>().join("|"))
            .collect()
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let (server, name) = (self.connect.clone().with_database("postgres"), self.name.clone());
        // The test's own runtime may be shutting down: drop on a thread with a runtime of its own.
        let dropping = std::thread::spawn(move || {
            crate::block_on(async move {
                if let Ok(session) = postgres_link::connect(&server).await {
                    let _ = session.batch(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")).await;
                }
            });
        });
        let _ = dropping.join();
    }
}

async fn open(connect: &ConnectOptions) -> AdminConn {
    postgres_link::connect(connect).await.unwrap_or_else(|error| panic!("{error} {}", error.cure()))
}

async fn run(session: &AdminConn, sql: &str) -> postgres_link::BatchOutcome {
    session.batch(sql).await.unwrap_or_else(|error| panic!("{error}\nin: {sql}"))
}
