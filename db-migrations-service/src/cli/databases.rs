//! The private cluster of the data directory, for a command: the one that runs already, or one that is started for the
//! duration of the command.

use std::path::Path;
use std::time::{Duration, Instant};

use embedded_postgres::{Cluster, ClusterOptions, Guest, StartError};
use postgres_link::ConnectOptions;

use super::context::block_on;
use super::exit::Exit;
use super::failure::Failure;
use super::show::Output;

/// How long a cluster that another process is starting is waited for.
const ENTER_WITHIN: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The database that every cluster has.
const MAINTENANCE: &str = "postgres";

/// The private cluster, where there is one. Dropping it stops a cluster that this process started.
#[derive(Debug, Default)]
pub struct Databases {
    private: Option<(ConnectOptions, String)>,
    server: Option<Server>,
}

/// Who runs it.
#[derive(Debug)]
enum Server {
    /// This process. `waits` is where it is said that others are waited for in the end; without it nobody is.
    Ours { cluster: Cluster, waits: Option<Output> },
    /// Another process, which waits for this value.
    Theirs(#[expect(dead_code, reason = "held until it is dropped")] Guest),
}

impl Databases {
    /// Starts the cluster of this folder, or enters it where another process runs it. Blocks.
    pub(super) fn reach(folder: &Path, output: Output) -> Result<Self, Failure> {
        let give_up = Instant::now() + ENTER_WITHIN;
        loop {
            let (folder, pid) = match Cluster::start(&ClusterOptions::new(folder)) {
                Ok(cluster) => {
                    return Self::of(&cluster.url(MAINTENANCE), Server::Ours { cluster, waits: Some(output) });
                }
                Err(StartError::InUse { folder, pid }) => (folder, pid),
                Err(error) => return Err(error.into()),
            };
            if let Some(guest) = Guest::enter(&folder)? {
                return Self::of(&guest.url(MAINTENANCE), Server::Theirs(guest));
            }
            if Instant::now() >= give_up {
                return Err(StartError::InUse { folder, pid }.into());
            }
            // It is being made or started, or its holder is just ending.
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// A cluster that this process holds.
    ///
    /// # Errors
    /// None in practice: the cluster's own URL is read.
    pub fn started(cluster: Cluster) -> Result<Self, Failure> {
        Self::of(&cluster.url(MAINTENANCE), Server::Ours { cluster, waits: None })
    }

    fn of(url: &str, server: Server) -> Result<Self, Failure> {
        let connect = ConnectOptions::parse(url)
            .map_err(|error| Failure::other(Exit::Failed, "private_database", error.to_string(), ""))?;
        Ok(Self { private: Some((connect, url.to_owned())), server: Some(server) })
    }

    /// A session to the private cluster.
    pub fn private(&self) -> Option<&ConnectOptions> {
        self.private.as_ref().map(|(connect, _)| connect)
    }

    /// The private cluster's URL, with the password.
    pub fn private_url(&self) -> Option<&str> {
        self.private.as_ref().map(|(_, url)| url.as_str())
    }

    /// The cluster that this process started.
    pub fn cluster(&self) -> Option<&Cluster> {
        match &self.server {
            Some(Server::Ours { cluster, .. }) => Some(cluster),
            Some(Server::Theirs(_)) | None => None,
        }
    }
}

/// A command that is done does not take the server away from others that came meanwhile; Ctrl-C does.
impl Drop for Databases {
    fn drop(&mut self) {
        let Some(Server::Ours { cluster, waits: Some(output) }) = &self.server else { return };
        if !cluster.close_to_guests() {
            // Without a runtime nobody is waited for.
            let _ = block_on(wait_for_guests(cluster, *output));
        }
    }
}

async fn wait_for_guests(cluster: &Cluster, output: Output) {
    let Ok(stop) = runtime::shutdown::on_signals() else { return };
    output.note("Other commands still use the private database; waiting for them. Ctrl-C stops it now.");
    let alone = async {
        while !cluster.close_to_guests() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    stop.run_until_cancelled(alone).await;
}
