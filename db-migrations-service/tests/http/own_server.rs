//! A PostgreSQL of a test's own, where the common one must not be filled, paused or copied.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use embedded_postgres::{Binaries, Cluster, ClusterOptions};
use postgres_link::{AdminConn, ConnectError, ConnectOptions};

/// Stops with the test, and leaves nothing.
pub struct OwnServer {
    cluster: Cluster,
    folder: tempfile::TempDir,
}

impl OwnServer {
    /// With its data below `place`.
    pub async fn start(place: &Path, settings: &'static [(&'static str, &'static str)]) -> Self {
        let folder = tempfile::tempdir_in(place).expect("a folder");
        // The account that runs it has to come in.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
        Self::on(folder, settings).await
    }

    async fn on(folder: tempfile::TempDir, settings: &'static [(&'static str, &'static str)]) -> Self {
        let options = ClusterOptions::new(folder.path().join("server")).unsafe_without_fsync();
        let options = settings.iter().fold(options, |options, (name, value)| options.setting(*name, *value));
        let start = move || Cluster::start(&options).expect("PostgreSQL's server programs are installed");
        let cluster = tokio::task::spawn_blocking(start).await.expect("no panic");
        Self { cluster, folder }
    }

    /// A server that replays what this one writes.
    pub async fn standby(&self) -> Self {
        let folder = tempfile::tempdir_in(self.folder.path().parent().expect("a place")).expect("a folder");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
        let server = folder.path().join("server");
        std::fs::create_dir(&server).expect("a folder");
        // The password is in the data that is copied.
        let password = self.cluster.data().with_file_name("password");
        std::fs::copy(password, server.join("password")).expect("it is there");
        let data = server.join("data");
        let program = Binaries::find(&|name| std::env::var(name).ok())
            .expect("they are installed")
            .folder()
            .join("pg_basebackup");
        let (url, target) = (self.url("postgres"), data.clone());
        let copied = move || {
            let mut command = Command::new(program);
            command.arg("--pgdata").arg(target).args(["--write-recovery-conf", "--checkpoint=fast", "--dbname", &url]);
            command.output().expect("pg_basebackup runs")
        };
        let output = tokio::task::spawn_blocking(copied).await.expect("no panic");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let owner = std::fs::metadata(self.cluster.data()).expect("it is there");
        give(&data, &owner);
        Self::on(folder, &[]).await
    }

    pub fn url(&self, database: &str) -> String {
        self.cluster.url(database)
    }

    /// A superuser's session, if there is one left.
    pub async fn connect(&self, database: &str) -> Result<AdminConn, ConnectError> {
        let options = ConnectOptions::parse_with(&self.url(database), &|_| None).expect("the server's own URL");
        postgres_link::connect(&options).await
    }

    pub async fn admin(&self, database: &str) -> AdminConn {
        self.connect(database).await.expect("the server runs")
    }
}

/// Everything below, to whoever runs the server.
fn give(path: &PathBuf, owner: &std::fs::Metadata) {
    if path.is_dir() && !path.is_symlink() {
        for entry in std::fs::read_dir(path).expect("a folder") {
            give(&entry.expect("an entry").path(), owner);
        }
    }
    if std::fs::symlink_metadata(path).expect("it is there").uid() != owner.uid() {
        chown(path, Some(owner.uid()), Some(owner.gid())).expect("root may");
    }
}
