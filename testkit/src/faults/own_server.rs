//! A PostgreSQL of a test's own, to be killed, filled and replaced.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use embedded_postgres::{Binaries, Cluster, ClusterOptions};
use postgres_link::{AdminConn, ConnectOptions};
use rustix::process::{Pid, Signal, kill_process};

use super::disk::Disk;

/// Longer than a start takes on a loaded machine.
const DEADLINE: Duration = Duration::from_mins(2);

/// A server that a test may do anything to. Panics are its errors, as everywhere in this crate. It stops with the value and leaves
/// nothing.
pub struct OwnServer {
    /// `None` while it is down.
    cluster: Option<Cluster>,
    options: ClusterOptions,
    port: u16,
    url: String,
    // The server stops before its folder goes.
    folder: tempfile::TempDir,
}

impl OwnServer {
    /// Starts one with these settings.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_below(&std::env::temp_dir(), settings)
    }

    /// Starts one with its data below `place`.
    pub fn start_below(place: &Path, settings: &[(&str, &str)]) -> Self {
        Self::on(open_folder(place), settings, None)
    }

    /// Starts one whose disk can be filled up.
    pub fn start_on(disk: &Disk, settings: &[(&str, &str)]) -> Self {
        Self::on(open_folder(&std::env::temp_dir()), settings, Some(disk.programs()))
    }

    fn on(folder: tempfile::TempDir, settings: &[(&str, &str)], binaries: Option<Binaries>) -> Self {
        let options = ClusterOptions::new(folder.path().join("server")).unsafe_without_fsync();
        let options = ClusterOptions { binaries, ..options };
        let options = settings.iter().fold(options, |options, (name, value)| options.setting(*name, *value));
        let cluster = Cluster::start(&options).unwrap_or_else(|error| panic!("{error}"));
        let (port, url) = (cluster.port(), cluster.url("postgres"));
        // Whoever restarts it finds it where it was.
        let options = ClusterOptions { port: Some(port), ..options };
        Self { cluster: Some(cluster), options, port, url, folder }
    }

    /// A server that replays what this one writes, and waits until it has begun to.
    #[must_use]
    pub fn standby(&self) -> Self {
        let folder = open_folder(&std::env::temp_dir());
        let server = folder.path().join("server");
        std::fs::create_dir(&server).expect("a folder");
        let here = self.data();
        // The password is in the data that is copied.
        std::fs::copy(here.with_file_name("password"), server.join("password")).expect("it is there");
        let data = server.join("data");
        let programs = Binaries::find(&|name| std::env::var(name).ok()).expect("they are installed");
        let mut copy = Command::new(programs.folder().join("pg_basebackup"));
        copy.arg("--pgdata").arg(&data).args(["--write-recovery-conf", "--checkpoint=fast", "--dbname", &self.url]);
        let output = copy.output().expect("pg_basebackup runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        give(&data, &std::fs::metadata(&here).expect("it is there"));
        let standby = Self::on(folder, &[], None);
        self.until("SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'");
        standby
    }

    /// Makes a standby the server that takes writes.
    pub fn promote(&self) {
        assert_eq!(self.value("SELECT pg_promote()").as_deref(), Some("t"));
    }

    /// A superuser's URL with the password.
    pub fn url(&self, database: &str) -> String {
        let (base, rest) = self.url.split_once("/postgres?").expect("the cluster's own form");
        format!("{base}/{database}?{rest}")
    }

    /// Where it listens, or did.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("server/data")
    }

    /// How to reach a database, as the superuser.
    pub fn connect(&self, database: &str) -> ConnectOptions {
        ConnectOptions::parse_with(&self.url(database), &|_| None).expect("the cluster's own URL")
    }

    /// A superuser's session.
    pub async fn session(&self, database: &str) -> AdminConn {
        postgres_link::connect(&self.connect(database)).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Whether it takes a session now.
    pub fn takes_sessions(&self) -> bool {
        crate::block_on(async { postgres_link::connect(&self.connect("postgres")).await.is_ok() })
    }

    /// The first cell that `sql` answers in the database `postgres`.
    pub fn value(&self, sql: &str) -> Option<String> {
        self.value_in("postgres", sql)
    }

    /// The first cell that `sql` answers.
    pub fn value_in(&self, database: &str, sql: &str) -> Option<String> {
        crate::block_on(async {
            let session = self.session(database).await;
            let outcome = session.batch(sql).await.unwrap_or_else(|error| panic!("{error}\nin: {sql}"));
            session.close().await;
            outcome.statements.last().and_then(|s| s.rows.first()?.first()?.clone())
        })
    }

    /// Waits until `sql` says `t`.
    pub fn until(&self, sql: &str) {
        let give_up = Instant::now() + DEADLINE;
        while self.value(sql).as_deref() != Some("t") {
            assert!(Instant::now() < give_up, "waited in vain for: {sql}");
        }
    }

    /// Takes every session that it has left; they go with the value. Until then even the methods above have none.
    pub fn take_all_sessions(&self) -> Crowd {
        let runtime = runtime();
        let mut sessions = Vec::new();
        while let Ok(session) = runtime.block_on(postgres_link::connect(&self.connect("postgres"))) {
            sessions.push(session);
        }
        Crowd { sessions, runtime }
    }

    /// A session that has run `sql` and stays as that left it, until the value is dropped.
    pub fn hold_open(&self, database: &str, sql: &str) -> Crowd {
        let runtime = runtime();
        let session = runtime.block_on(self.session(database));
        runtime.block_on(session.batch(sql)).unwrap_or_else(|error| panic!("{error}\nin: {sql}"));
        Crowd { sessions: vec![session], runtime }
    }

    /// Whether its process is there.
    pub fn is_running(&self) -> bool {
        self.cluster.as_ref().is_some_and(Cluster::is_running)
    }

    /// It has ended by itself, and may be started again.
    pub fn has_ended(&mut self) {
        assert!(!self.is_running(), "it runs");
        self.cluster = None;
    }

    /// `kill -9` of one of its processes from outside; the server ends all others with it, recovers, and goes on by itself.
    pub fn kill_backend(&self, pid: i32) {
        // It may have ended just now, which is a kill that came too late.
        let _ = kill_process(Pid::from_raw(pid).expect("a process"), Signal::KILL);
    }

    /// `kill -9` of the server itself. What it was doing is not written down.
    pub fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    /// An immediate stop: it ends all sessions and writes nothing down.
    pub fn stop_at_once(&mut self) {
        self.end(Signal::QUIT);
    }

    fn end(&mut self, signal: Signal) {
        let cluster = self.cluster.take().expect("it runs");
        kill_process(Pid::from_raw(cluster.pid()).expect("a process"), signal).expect("it runs");
        let give_up = Instant::now() + DEADLINE;
        while cluster.is_running() {
            assert!(Instant::now() < give_up, "the server does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Starts it again, where it was.
    pub fn start_again(&mut self) {
        let cluster = Cluster::start(&self.options).unwrap_or_else(|error| panic!("{error}"));
        assert!(self.cluster.replace(cluster).is_none(), "it was down");
    }
}

/// That lives as long as the sessions on it.
fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime can be built")
}

/// Sessions that stay open, and are closed with the value.
pub struct Crowd {
    sessions: Vec<AdminConn>,
    runtime: tokio::runtime::Runtime,
}

impl Crowd {
    /// Runs `sql` on the first of them.
    pub fn run(&self, sql: &str) {
        self.runtime.block_on(self.sessions[0].batch(sql)).unwrap_or_else(|error| panic!("{error}\nin: {sql}"));
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for session in self.sessions.drain(..) {
            self.runtime.block_on(session.close());
        }
    }
}

/// Below `place`, where the server's account can come in.
fn open_folder(place: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(place).expect("a temporary folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    folder
}

/// Everything below, to whoever runs the server.
fn give(path: &Path, owner: &std::fs::Metadata) {
    if path.is_dir() && !path.is_symlink() {
        for entry in std::fs::read_dir(path).expect("a folder") {
            give(&entry.expect("an entry").path(), owner);
        }
    }
    if std::fs::symlink_metadata(path).expect("it is there").uid() != owner.uid() {
        chown(path, Some(owner.uid()), Some(owner.gid())).expect("root may");
    }
}
