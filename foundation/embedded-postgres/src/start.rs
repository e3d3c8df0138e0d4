//! One start of the server, with what may stand in its way.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::binaries::Binaries;
use crate::cluster::STOP_PATIENCE;
use crate::error::StartError;
use crate::folder::Folder;
use crate::log::{self, Obstacle};
use crate::options::ClusterOptions;
use crate::postmaster::Postmaster;

/// Recovery after a crash of a small cluster takes seconds; a minute is a fault.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// After `kill -9` the number of a zombie or an orphan's shared memory stood in the way for 2 to 5 s (measured).
const FORMER_SERVER_GONE_WITHIN: Duration = Duration::from_secs(30);
const RETRY_EVERY: Duration = Duration::from_millis(100);
const POLL: Duration = Duration::from_millis(3);
/// Between looking for a free port and taking it, somebody else may.
const PORT_TRIES: u32 = 5;
/// The binaries asked for or found; where data exists, those of its major version if any are installed.
pub(crate) fn binaries_for(folder: &Folder, options: &ClusterOptions) -> Result<Binaries, StartError> {
    let environment = |name: &str| std::env::var(name).ok();
    let binaries = match &options.binaries {
        Some(binaries) => binaries.clone(),
        None => Binaries::find(&environment)?,
    };
    let found = binaries.version();
    match folder.data_major() {
        Some(data_major) if data_major != found.major => {
            let other = if options.binaries.is_none() { Binaries::find_major(&environment, data_major) } else { None };
            other.ok_or_else(|| StartError::OtherVersion { folder: folder.root().to_owned(), data_major, found })
        }
        _ => Ok(binaries),
    }
}

/// One start, with its retries.
pub(crate) struct Starter<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) binaries: &'a Binaries,
    pub(crate) options: &'a ClusterOptions,
    pub(crate) account: Option<Account>,
}

impl Starter<'_> {
    /// Returns the server once it takes sessions, and its port.
    pub(crate) fn run(&self) -> Result<(Postmaster, u16), StartError> {
        let give_up = Instant::now() + FORMER_SERVER_GONE_WITHIN;
        let mut port_tries = 0;
        loop {
            self.wait_for_former_server(give_up)?;
            let port = self.choose_port(port_tries > 0)?;
            let log_file = self.folder.log_file();
            let log = self.folder.open_log()?;
            let log_start = log.metadata().map_err(StartError::io("read", &log_file))?.len();
            let program = self.binaries.program("postgres");
            let arguments = self.options.arguments(port);
            let postmaster =
                Postmaster::spawn(program.clone(), &self.folder.data(), arguments, self.account.clone(), log)
                    .map_err(StartError::io("run", &program))?;
            let ready = wait_until_ready(&postmaster, &self.folder.data());
            if ready == Ready::Yes {
                return Ok((postmaster, port));
            }
            let said = log::since(&log_file, log_start);
            let (folder, log) = (self.folder.root().to_owned(), log::tail(&said));
            if ready == Ready::TooLate {
                postmaster.stop(STOP_PATIENCE);
                return Err(StartError::TooSlow { folder, seconds: READY_WITHIN.as_secs(), log_file, log });
            }
            match log::obstacle(&said) {
                Obstacle::PortTaken if self.options.port.is_some() => return Err(StartError::PortTaken { port }),
                Obstacle::PortTaken if port_tries < PORT_TRIES => port_tries += 1,
                // Never by removing postmaster.pid: it is what keeps two servers off the same shared memory.
                Obstacle::FormerServer if Instant::now() < give_up => thread::sleep(RETRY_EVERY),
                Obstacle::DiskFull => return Err(StartError::DiskFull { folder, log }),
                _ => return Err(StartError::Failed { folder, log_file, log }),
            }
        }
    }

    /// With the lock in hand, a server on this folder is an orphan whose death signal is on its way.
    fn wait_for_former_server(&self, give_up: Instant) -> Result<(), StartError> {
        while let Some(pid) = running_postmaster(&self.folder.data()) {
            if Instant::now() >= give_up {
                return Err(StartError::StillRunning { folder: self.folder.root().to_owned(), pid });
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    fn choose_port(&self, last_was_taken: bool) -> Result<u16, StartError> {
        let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if let Some(port) = self.options.port {
            return if is_free(port) { Ok(port) } else { Err(StartError::PortTaken { port }) };
        }
        if let Some(port) = self.folder.last_port().filter(|port| !last_was_taken && is_free(*port)) {
            return Ok(port);
        }
        let any = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        any.map(|address| address.port()).map_err(StartError::io("find a free port on", Path::new("127.0.0.1")))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ready {
    Yes,
    Ended,
    TooLate,
}

/// The server writes its state into postmaster.pid: line 1 its process, line 8 `ready` once it takes sessions.
fn wait_until_ready(postmaster: &Postmaster, data: &Path) -> Ready {
    let give_up = Instant::now() + READY_WITHIN;
    let pid = postmaster.pid().to_string();
    while Instant::now() < give_up {
        if postmaster.exit().is_some() {
            return Ready::Ended;
        }
        let text = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        let mut lines = text.lines().map(str::trim);
        if lines.next() == Some(&pid) && lines.nth(6) == Some("ready") {
            return Ready::Yes;
        }
        thread::sleep(POLL);
    }
    Ready::TooLate
}

/// The process postmaster.pid names, if it lives and is a PostgreSQL server. Only Linux can tell; elsewhere the
/// server's own check has to do.
fn running_postmaster(data: &Path) -> Option<i32> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid: i32 = text.lines().next()?.trim().parse().ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // `4711 (postgres) S …`; a zombie (Z) only waits for somebody to collect it.
    let (name, state) = stat.split_once('(')?.1.rsplit_once(") ")?;
    // The server's working folder is its data; another one's process may have got the number since.
    let elsewhere = std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder != data);
    (name == "postgres" && !state.starts_with('Z') && !elsewhere).then_some(pid)
}
