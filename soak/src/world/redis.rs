//! A Redis of the soak's own, with nothing on disk.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process};

use crate::Outcome;

/// Ends with the soak.
pub struct Redis {
    port: u16,
    folder: PathBuf,
    child: Mutex<Child>,
}

impl Redis {
    /// On this port.
    pub fn start(port: u16, folder: &Path) -> Outcome<Self> {
        Ok(Self { port, folder: folder.to_owned(), child: Mutex::new(spawn(port, folder)?) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// As a power cut would.
    pub fn kill(&self) {
        let mut child = self.child();
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Empty, on the same port, unless it runs.
    pub fn ensure_running(&self) -> Outcome<()> {
        let mut child = self.child();
        if child.try_wait().map_err(|error| error.to_string())?.is_some() {
            *child = spawn(self.port, &self.folder)?;
        }
        Ok(())
    }

    /// It hangs (STOP), it goes on (CONT).
    pub fn signal(&self, signal: Signal) {
        // One that was killed is not there.
        let _ = kill_process(Pid::from_child(&self.child()), signal);
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(port: u16, folder: &Path) -> Outcome<Child> {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    let mut child = command
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("Redis does not start ({error}); install it: scripts/needs.sh test-database"))?;
    let out = child.stdout.take().ok_or("what Redis says cannot be read")?;
    let mut lines = BufReader::new(out).lines().map_while(Result::ok);
    if !lines.any(|line| line.contains("Ready to accept connections")) {
        return Err("Redis does not start".to_owned());
    }
    // Somebody has to read the rest, or it would stand still when the pipe is full.
    std::thread::spawn(move || lines.for_each(drop));
    Ok(child)
}
