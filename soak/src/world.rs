//! Everything that the soak runs: PostgreSQL servers, Redis, an S3 server, copies of the service, and the lines between them.

pub mod copy;
pub mod project;
pub mod redis;
pub mod server;
pub mod store;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use testkit::faults::Proxy;

use crate::Outcome;
use crate::journal::Journal;
use crate::plan::Place;
use copy::ServiceCopy;
use redis::Redis;
use server::Server;

/// The platform's own database and the master database are on the first, the fleet's on the others.
pub const SERVERS: [&str; 3] = ["main", "one", "two"];
/// The server whose disk is small enough to be filled, where such a disk can be made.
pub const SMALL_DISK: usize = 2;
/// The platform's database.
pub const PLATFORM: &str = "platform";
/// The master database.
pub const MASTER: &str = "master";
/// Holds what a fleet's half needs, its log, and some room.
const SMALL_DISK_BYTES: &str = "900m";

/// Of the temporary folder; then comes the process.
const PREFIX: &str = "profe-soak-";

/// All of it.
pub struct World {
    /// As in [`SERVERS`].
    pub servers: Vec<Server>,
    /// Redis.
    pub redis: Redis,
    /// The copies of the service.
    pub copies: Vec<Arc<ServiceCopy>>,
    /// What happened.
    pub journal: Arc<Journal>,
    /// Databases of the fleet, by server.
    pub tenants: Vec<(usize, String)>,
    server_lines: Vec<Proxy>,
    master_lines: Vec<Proxy>,
    redis_lines: Vec<Proxy>,
    storage_line: Proxy,
    project: PathBuf,
    profe: PathBuf,
    /// Removed with everything in it.
    _folder: tempfile::TempDir,
}

/// How large it is.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Copies of the service.
    pub copies: usize,
    /// Databases of the fleet.
    pub tenants: usize,
    /// Whether one server gets a small disk.
    pub small_disk: bool,
}

impl World {
    /// Starts all but the copies, and makes the databases.
    pub async fn start(extent: Extent, journal: Arc<Journal>) -> Outcome<Self> {
        remove_forsaken();
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir().map_err(|error| error.to_string())?;
        // The account that runs PostgreSQL has to come in.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))
            .map_err(|error| error.to_string())?;
        let servers = start_servers(folder.path(), extent.small_disk).await?;
        let redis = Redis::start(free_port()?, folder.path())?;
        let storage = store::start(&folder.path().join("s3")).await?;
        let project = folder.path().join("project");
        project::write(&project)?;
        let line = |address| Proxy::to(address).map_err(|error| format!("a line to {address}: {error}"));
        let lines = |address| (0..extent.copies).map(|_| line(address)).collect::<Outcome<Vec<_>>>();
        let made = folder.path().to_owned();
        let logs = journal.path().parent().map_or(made, Path::to_owned);
        let copy = |number| Ok(Arc::new(ServiceCopy::new(number, free_port()?, &logs)));
        let world = Self {
            server_lines: servers.iter().map(|server| line(server.address())).collect::<Outcome<_>>()?,
            master_lines: lines(servers[0].address())?,
            redis_lines: lines(redis.address())?,
            storage_line: line(storage)?,
            copies: (0..extent.copies).map(copy).collect::<Outcome<_>>()?,
            tenants: (0..extent.tenants).map(|number| (1 + number % 2, format!("tenant_{number:03}"))).collect(),
            servers,
            redis,
            journal,
            project,
            profe: profe(folder.path())?,
            _folder: folder,
        };
        world.make_databases().await?;
        Ok(world)
    }

    async fn make_databases(&self) -> Outcome<()> {
        let here = [(0, PLATFORM.to_owned()), (0, MASTER.to_owned())];
        for (server, name) in here.iter().chain(&self.tenants) {
            self.servers[*server].rows("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0")).await?;
        }
        Ok(())
    }

    /// The folder with the migrations.
    pub fn project(&self) -> &Path {
        &self.project
    }

    /// A line of the network.
    pub fn line(&self, place: Place) -> &Proxy {
        match place {
            Place::Server(server) => &self.server_lines[server],
            Place::Master(copy) => &self.master_lines[copy],
            Place::Redis(copy) => &self.redis_lines[copy],
            Place::Storage => &self.storage_line,
        }
    }

    /// All lines are whole, all servers run, all copies go on.
    pub fn heal(&self) -> Outcome<()> {
        let lines = self.server_lines.iter().chain(&self.master_lines).chain(&self.redis_lines);
        lines.chain([&self.storage_line]).for_each(Proxy::heal);
        // It is there only while the disk is full.
        let _ = std::fs::remove_file(self.servers[SMALL_DISK].filler());
        self.servers.iter().try_for_each(Server::ensure_running)?;
        self.redis.ensure_running()?;
        self.redis.signal(rustix::process::Signal::CONT);
        self.copies.iter().for_each(|copy| copy.go_on());
        Ok(())
    }

    /// The program, as a copy with this number runs it: to the master database and Redis by its own lines.
    pub fn profe(&self, copy: usize) -> Command {
        let mut command = Command::new(&self.profe);
        command.env_clear().current_dir(&self.project).arg("--project").arg(&self.project);
        for name in ["PATH", "PG_BIN"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(self.variables(copy));
        // A copy that outlives the soak would be nobody's.
        embedded_postgres::die_with_parent(&mut command, rustix::process::Signal::TERM);
        command
    }

    /// The program as a copy that serves.
    pub fn serving(&self, copy: usize) -> Command {
        let mut command = self.profe(copy);
        command.env("MIGRATION_SERVICE_PORT", self.copies[copy].port.to_string()).args([
            "serve",
            "--only",
            "migration-service",
        ]);
        command
    }

    fn variables(&self, copy: usize) -> BTreeMap<&'static str, String> {
        let through = |line: &Proxy, server: usize, database: &str| line.url(&self.servers[server].url(database));
        let redis = format!("redis://{}/0", self.redis_lines[copy].addr());
        let mut all = BTreeMap::from([
            ("USER", "ana".to_owned()),
            ("DATABASE_URL", through(&self.server_lines[0], 0, PLATFORM)),
            ("MIGRATION_SERVICE_MASTER_DB_URL", through(&self.master_lines[copy], 0, MASTER)),
            ("TENANTS_ONE_URL", through(&self.server_lines[1], 1, "postgres")),
            ("TENANTS_TWO_URL", through(&self.server_lines[2], 2, "postgres")),
            ("MIGRATION_SERVICE_REDIS_URL", redis),
            ("MIGRATION_SERVICE_BACKUP_STORAGE", store::url(self.storage_line.addr())),
            ("MIGRATION_SERVICE_RUN_GRACE", "5s".to_owned()),
            ("MIGRATION_SERVICE_SAMPLE_INTERVAL", "5s".to_owned()),
            ("MIGRATION_SERVICE_WATCH_INTERVAL", "20s".to_owned()),
            ("MIGRATION_SERVICE_LOG_FORMAT", "json".to_owned()),
        ]);
        all.extend(store::VARIABLES.map(|(name, value)| (name, value.to_owned())));
        all
    }
}

/// What soaks have left that were killed.
fn remove_forsaken() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid =
            name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()).and_then(|pid| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // Another soak may be removing it too.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Side by side: a first start takes seconds.
async fn start_servers(folder: &Path, small_disk: bool) -> Outcome<Vec<Server>> {
    let mut starting = Vec::new();
    for (number, name) in SERVERS.iter().enumerate() {
        let folder = folder.join(name);
        std::fs::create_dir(&folder).map_err(|error| error.to_string())?;
        if small_disk && number == SMALL_DISK {
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o"]).arg(format!("size={SMALL_DISK_BYTES},mode=755"));
            let mounted = mount_on(&mut mount, &folder)?;
            if !mounted {
                return Err("a small disk cannot be mounted; run the soak with --no-small-disk".to_owned());
            }
        }
        starting.push(tokio::task::spawn_blocking(move || Server::start(&folder)));
    }
    let mut servers = Vec::new();
    for server in starting {
        servers.push(server.await.map_err(|error| error.to_string())??);
    }
    Ok(servers)
}

fn mount_on(mount: &mut Command, folder: &Path) -> Outcome<bool> {
    mount.arg("tmpfs").arg(folder).status().map(|status| status.success()).map_err(|error| error.to_string())
}

/// A port that nobody has at this moment.
fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|error| error.to_string())
}

/// A copy of the one beside this program, where `cargo build` has put both: a build that comes meanwhile changes nothing here.
fn profe(folder: &Path) -> Outcome<PathBuf> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let (built, profe) = (this.with_file_name("profe"), folder.join("profe"));
    std::fs::copy(&built, &profe)
        .map_err(|error| format!("{} cannot be had ({error}); build it: cargo build -p profe", built.display()))?;
    Ok(profe)
}
