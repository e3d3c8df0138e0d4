//! What a cluster should be like.

use std::path::PathBuf;

use crate::binaries::Binaries;

/// The superuser's name unless somebody says otherwise.
pub(crate) const SUPERUSER: &str = "postgres";

/// Settings of a private cluster; [`new`](Self::new) has defaults for a laptop.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Holds `data/`, `password`, `postgres.log`, `lock`, `users` and `port`. Made when it does not exist.
    pub data_dir: PathBuf,
    /// The port on 127.0.0.1; `None` takes the one used last if it is free, or any free one.
    pub port: Option<u16>,
    /// The superuser's name; only the first start makes it.
    pub superuser: String,
    /// Server settings for this run, for example `("max_connections", "200")`. They win over the defaults here.
    pub settings: Vec<(String, String)>,
    /// False loses data when the machine crashes and is faster: right for tests, wrong for anything kept.
    pub fsync: bool,
    /// The binaries to use; `None` looks for them.
    pub binaries: Option<Binaries>,
}

impl ClusterOptions {
    /// A cluster in this folder, on any free port, with superuser `postgres`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            port: None,
            superuser: SUPERUSER.to_owned(),
            settings: Vec::new(),
            fsync: true,
            binaries: None,
        }
    }

    /// For tests: nothing is flushed to the disk.
    #[must_use]
    pub fn unsafe_without_fsync(mut self) -> Self {
        self.fsync = false;
        self
    }

    /// Adds one server setting.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Arguments of `postgres`; a later `-c` for the same name wins.
    pub(crate) fn arguments(&self, port: u16) -> Vec<String> {
        let mut settings = vec![
            ("listen_addresses".to_owned(), "127.0.0.1".to_owned()),
            ("unix_socket_directories".to_owned(), String::new()),
            ("logging_collector".to_owned(), "off".to_owned()),
            ("log_destination".to_owned(), "stderr".to_owned()),
        ];
        if !self.fsync {
            // synchronous_commit stays on: without fsync it costs next to nothing, and a test that kills the server
            // finds what was committed.
            for name in ["fsync", "full_page_writes"] {
                settings.push((name.to_owned(), "off".to_owned()));
            }
        }
        settings.extend(self.settings.iter().cloned());
        settings.push(("port".to_owned(), port.to_string()));
        settings.into_iter().flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]).collect()
    }
}
