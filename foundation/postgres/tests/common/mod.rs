//! A private cluster per test.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use embedded_postgres::{Cluster, ClusterOptions};
use postgres_link::{AdminConn, ConnectOptions, connect};

/// A server that vanishes with the value.
pub struct Server {
    // The order matters: the server stops before its folder goes.
    pub cluster: Cluster,
    #[allow(clippy::allow_attributes, dead_code, reason = "not every test file looks into it")]
    pub folder: tempfile::TempDir,
}

impl Server {
    /// `prepare` may put files into the folder before the start and change the options.
    pub fn start_with(prepare: impl FnOnce(&std::path::Path, ClusterOptions) -> ClusterOptions) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("own folder");
        let options = ClusterOptions::new(folder.path().join("cluster")).unsafe_without_fsync();
        let cluster = Cluster::start(&prepare(folder.path(), options)).expect("a private cluster");
        Self { cluster, folder }
    }

    #[allow(clippy::allow_attributes, dead_code, reason = "not every test file uses it")]
    pub fn start() -> Self {
        Self::start_with(|_, options| options)
    }

    /// Options without this machine's environment.
    pub fn options(&self) -> ConnectOptions {
        options(&self.cluster.url("postgres"))
    }

    #[allow(clippy::allow_attributes, dead_code, reason = "not every test file uses it")]
    pub async fn connect(&self) -> AdminConn {
        connect(&self.options()).await.expect("a session")
    }
}

pub fn options(text: &str) -> ConnectOptions {
    ConnectOptions::parse_with(text, &|_| None).expect("valid options")
}
