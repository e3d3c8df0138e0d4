//! The server process: spawned, watched and stopped.
//!
//! The kernel sends the death signal when the *thread* that forked ends, so each server has a thread of its own that
//! lives exactly as long as the server does.

#![expect(unsafe_code, reason = "the death signal has to be set between fork and exec, which std calls unsafe")]

use std::fs::File;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};
use std::{fmt, io, thread};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::sync::watch;

use crate::account::Account;

const POLL: Duration = Duration::from_millis(3);

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit(ExitStatus);

impl Exit {
    /// It was asked to stop and did.
    pub fn is_clean(self) -> bool {
        self.0.success()
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.code(), self.0.signal()) {
            (Some(0), _) => f.write_str("PostgreSQL has stopped"),
            (Some(code), _) => write!(f, "PostgreSQL ended with code {code}"),
            (None, Some(signal)) => write!(f, "PostgreSQL was killed by signal {signal}"),
            (None, None) => f.write_str("PostgreSQL ended"),
        }
    }
}

/// A running server.
pub(crate) struct Postmaster {
    pid: Pid,
    exited: watch::Receiver<Option<Exit>>,
    /// Held while the process is reaped, so that no signal goes to a stranger with the same number.
    reaping: Arc<Mutex<()>>,
}

impl Postmaster {
    pub(crate) fn spawn(
        program: PathBuf,
        data: &Path,
        arguments: Vec<String>,
        account: Option<Account>,
        log: File,
    ) -> io::Result<Self> {
        let data = data.to_owned();
        let (report, exited) = watch::channel(None);
        let reaping = Arc::new(Mutex::new(()));
        let (tell, told) = mpsc::sync_channel(1);
        let gate = Arc::clone(&reaping);
        thread::Builder::new().name("postmaster".to_owned()).spawn(move || {
            let mut command = Command::new(program);
            command.arg("-D").arg(data).args(arguments).env_clear().env("LC_ALL", "C").current_dir("/");
            command.stdin(Stdio::null());
            if let Some(account) = account {
                account.apply(&mut command);
            }
            // The starter waits for this message, so it is there to receive it.
            match spawn_in_session(&mut command, log) {
                Ok(child) => {
                    let _ = tell.send(Ok(child.id()));
                    watch_over(child, &gate, &report);
                }
                Err(error) => drop(tell.send(Err(error))),
            }
        })?;
        let id = told.recv().map_err(|_| io::Error::other("the thread that starts PostgreSQL died"))??;
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("PostgreSQL has no process number"))?;
        Ok(Self { pid, exited, reaping })
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// `Some` once it has ended.
    pub(crate) fn exit(&self) -> Option<Exit> {
        *self.exited.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Option<Exit>> {
        self.exited.clone()
    }

    /// Fast shutdown (open sessions are ended), then immediate shutdown, then the hard way; waits for the end.
    pub(crate) fn stop(&self, patience: Duration) -> Option<Exit> {
        for (signal, patience) in [(Signal::INT, patience), (Signal::QUIT, patience / 4), (Signal::KILL, patience)] {
            self.signal(signal);
            let deadline = Instant::now() + patience;
            while Instant::now() < deadline {
                if let Some(exit) = self.exit() {
                    return Some(exit);
                }
                thread::sleep(POLL);
            }
            tracing::warn!(pid = self.pid(), ?signal, "PostgreSQL does not stop, trying harder");
        }
        self.exit()
    }

    fn signal(&self, signal: Signal) {
        let _guard = self.reaping.lock().unwrap_or_else(PoisonError::into_inner);
        if self.exit().is_none() {
            // It may have ended by itself just now, which is what was wanted.
            let _ = kill_process(self.pid, signal);
        }
    }
}

/// A session of its own keeps the terminal's Ctrl-C away: the supervisor decides when the server stops.
fn spawn_in_session(command: &mut Command, log: File) -> io::Result<Child> {
    let errors = log.try_clone()?;
    command.stdout(log).stderr(errors);
    die_with_parent(command, Signal::INT);
    command.spawn()
}

/// Puts the command into a session of its own, away from the terminal's Ctrl-C, and lets the kernel send it `signal` when the *thread*
/// that starts it ends, even by `kill -9` (on Linux; elsewhere nobody tells it).
pub fn die_with_parent(command: &mut Command, signal: Signal) {
    let in_child = move || {
        rustix::process::setsid()?;
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(Some(signal))?;
        Ok(())
    };
    // SAFETY: the closure runs in the forked child and makes two system calls, which are async-signal-safe; it neither
    // allocates nor takes a lock. std runs it after changing the user, which would clear the death signal.
    unsafe { command.pre_exec(in_child) };
}

fn watch_over(mut child: Child, reaping: &Mutex<()>, report: &watch::Sender<Option<Exit>>) {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(pid) = id {
        // NOWAIT leaves the zombie, whose number nobody else can get.
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        {
        }
    }
    let _guard = reaping.lock().unwrap_or_else(PoisonError::into_inner);
    let status = child.wait().unwrap_or_default();
    report.send_replace(Some(Exit(status)));
}
