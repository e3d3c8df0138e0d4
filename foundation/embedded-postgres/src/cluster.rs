//! A cluster from start to stop.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::account;
use crate::binaries::Version;
use crate::error::StartError;
use crate::folder::Folder;
use crate::initialise;
use crate::options::ClusterOptions;
use crate::postmaster::{Exit, Postmaster};
use crate::start::{Starter, binaries_for};

/// A fast shutdown takes 20 to 120 ms, longer with much to write.
pub(crate) const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// A running private server. Dropping it stops the server.
pub struct Cluster {
    postmaster: Postmaster,
    port: u16,
    superuser: String,
    password: String,
    version: Version,
    /// Last, so that the lock outlives the server.
    folder: Folder,
}

impl Cluster {
    /// Starts the server, making the cluster first where there is none. Returns when it takes sessions.
    ///
    /// # Errors
    /// [`StartError`]; each names what to do. Nothing is left running.
    pub fn start(options: &ClusterOptions) -> Result<Self, StartError> {
        let account = account::choose()?;
        let folder = Folder::open(&options.data_dir, account.as_ref())?;
        let binaries = binaries_for(&folder, options)?;
        if let Some(account) = &account {
            account.check_way_to(&binaries.program("postgres"))?;
        }
        let password = folder.password()?;
        initialise::ensure(&folder, &binaries, options, account.as_ref())?;
        let (postmaster, port) = Starter { folder: &folder, binaries: &binaries, options, account }.run()?;
        folder.remember_port(port)?;
        let superuser = options.superuser.clone();
        Ok(Self { postmaster, port, superuser, password, version: binaries.version(), folder })
    }

    /// A connection string with the password: for connecting, not for printing.
    pub fn url(&self, database: &str) -> String {
        url(&self.superuser, &self.password, self.port, database)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser.
    pub fn superuser(&self) -> &str {
        &self.superuser
    }

    /// The superuser's password: for connecting, not for printing.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The server's version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The server's process.
    pub fn pid(&self) -> i32 {
        self.postmaster.pid()
    }

    /// PostgreSQL's own data folder (`data/` in the one of the options).
    pub fn data(&self) -> PathBuf {
        self.folder.data()
    }

    /// The server's log.
    pub fn log_file(&self) -> PathBuf {
        self.folder.log_file()
    }

    /// Resolves when the server has ended, for whatever reason. Independent of the borrow.
    pub fn exited(&self) -> impl Future<Output = Exit> + Send + use<> {
        let mut watch = self.postmaster.watch();
        async move {
            match watch.wait_for(Option::is_some).await.map(|exit| *exit) {
                Ok(Some(exit)) => exit,
                // The watching thread reports before it ends; without a report nothing can be told.
                _ => std::future::pending().await,
            }
        }
    }

    /// Whether the server runs.
    pub fn is_running(&self) -> bool {
        self.postmaster.exit().is_none()
    }

    /// Lets no [`Guest`](crate::Guest) in any more, so that stopping disturbs nobody; false while there is one, and
    /// then nothing has changed.
    pub fn close_to_guests(&self) -> bool {
        self.folder.close_to_guests()
    }

    /// Ends open sessions and stops the server, harder after 20 s; returns when it is gone.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Whoever comes now would find a server that is about to end.
        self.close_to_guests();
        self.postmaster.stop(STOP_PATIENCE);
    }
}

pub(crate) fn url(superuser: &str, password: &str, port: u16, database: &str) -> String {
    format!(
        "postgresql://{}:{password}@127.0.0.1:{port}/{}?sslmode=disable",
        utf8_percent_encode(superuser, NON_ALPHANUMERIC),
        utf8_percent_encode(database, NON_ALPHANUMERIC)
    )
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("folder", &self.folder.root())
            .field("port", &self.port)
            .field("pid", &self.pid())
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
