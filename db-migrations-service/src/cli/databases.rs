//! The private cluster of the data directory, for a command: the one that runs already, or one that is started for the
//! duration of the command.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use embedded_postgres::{Cluster, ClusterOptions, StartError};
use postgres_link::ConnectOptions;

use super::exit::Exit;
use super::failure::Failure;

/// How long a cluster that another process is starting is waited for.
const ATTACH_WITHIN: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The private cluster, where there is one. Dropping it stops a cluster that this process started.
#[derive(Debug, Default)]
pub struct Databases {
    private: Option<(ConnectOptions, String)>,
    cluster: Option<Cluster>,
}

impl Databases {
    /// Starts the cluster of this folder, or reaches it where another process runs it. Blocks.
    pub(super) fn reach(folder: &Path) -> Result<Self, Failure> {
        let give_up = Instant::now() + ATTACH_WITHIN;
        loop {
            match Cluster::start(&ClusterOptions::new(folder)) {
                Ok(cluster) => return Self::started(cluster),
                Err(StartError::InUse { folder, pid }) => match attach(&folder)? {
                    Some(private) => return Ok(Self { private: Some(private), cluster: None }),
                    None if Instant::now() >= give_up => return Err(StartError::InUse { folder, pid }.into()),
                    // It is being made or started, or its holder is just ending.
                    None => std::thread::sleep(LOOK_AGAIN),
                },
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A cluster that this process holds.
    ///
    /// # Errors
    /// None in practice: the cluster's own URL is read.
    pub fn started(cluster: Cluster) -> Result<Self, Failure> {
        let url = cluster.url("postgres");
        Ok(Self { private: Some((parse(&url)?, url)), cluster: Some(cluster) })
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
        self.cluster.as_ref()
    }
}

fn parse(url: &str) -> Result<ConnectOptions, Failure> {
    ConnectOptions::parse(url).map_err(|error| Failure::other(Exit::Failed, "private_database", error.to_string(), ""))
}

/// Reaches a cluster that another process runs, by the files that it keeps in its folder; `None` while it is not ready.
fn attach(folder: &Path) -> Result<Option<(ConnectOptions, String)>, Failure> {
    let read = |name: &str| {
        let path = folder.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::other(
                Exit::Unavailable,
                "private_database",
                format!("the running database's {} cannot be read: {error}", path.display()),
                "run this as the user who runs `profe up`",
            )),
        }
    };
    let (Some(state), Some(password)) = (read("data/postmaster.pid")?, read("password")?) else { return Ok(None) };
    // Line 4 is the port, line 8 `ready` once sessions are taken.
    let mut lines = state.lines().map(str::trim);
    let (Some(port), Some("ready")) = (lines.nth(3), lines.nth(3)) else { return Ok(None) };
    let listens = port.parse().is_ok_and(|port: u16| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
    if !listens {
        return Ok(None);
    }
    let url = format!("postgresql://postgres:{password}@127.0.0.1:{port}/postgres?sslmode=disable");
    Ok(Some((parse(&url)?, url)))
}
