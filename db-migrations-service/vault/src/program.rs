//! PostgreSQL's own programs, as children that end with whoever started them.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use embedded_postgres::{Tools, die_with_parent};
use postgres_link::ConnectOptions;
use rustix::io::ioctl_fionread;
use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{Pid, Signal, kill_process};
use tokio_util::sync::CancellationToken;

/// How much of what a program complains about is kept: its last words.
const KEPT: usize = 4_000;

/// What a pipe should hold, bytes.
const PIPE: usize = 1 << 20;

/// How long one end of a pipe rests at once: a fraction of the time in which the other end fills or empties it.
const REST: Duration = Duration::from_millis(1);

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It could not be started.
    #[error("{program} cannot be started: {source}")]
    Start {
        /// Its name.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It ended with a complaint.
    #[error("{program} failed: {complaint}")]
    Failed {
        /// Its name.
        program: String,
        /// Its last words.
        complaint: String,
    },
    /// It was ended by a signal.
    #[error("{program} was ended by signal {signal}{}", if .complaint.is_empty() { String::new() } else { format!(": {}", .complaint) })]
    Killed {
        /// Its name.
        program: String,
        /// Which signal.
        signal: i32,
        /// Its last words.
        complaint: String,
    },
}

/// A program that is to be started.
pub(crate) struct Program {
    name: &'static str,
    command: Command,
}

impl Program {
    /// `name` of `tools`, which connects as `connect` does.
    pub(crate) fn new(tools: &Tools, name: &'static str, connect: &ConnectOptions) -> Self {
        let mut command = Command::new(tools.program(name));
        for (variable, value) in connect.program_environment() {
            match value {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        // Its complaints are shown to people, and searched for what is known.
        command.env("LC_ALL", "C").arg("--no-password");
        Self { name, command }
    }

    /// `pg_dump` in an exported snapshot, as [`crate::archive`] reads it.
    pub(crate) fn pg_dump(tools: &Tools, connect: &ConnectOptions, snapshot: &str) -> Self {
        let always = ["--format=custom", "--compress=0", "--lock-wait-timeout=10s"];
        Self::new(tools, "pg_dump", connect).arguments(always).arguments([format!("--snapshot={snapshot}")])
    }

    pub(crate) fn arguments<S: AsRef<str>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        for argument in arguments {
            self.command.arg(argument.as_ref());
        }
        self
    }

    /// Starts it. What it prints can be read from it, what it reads can be written to it.
    ///
    /// It is told to stop when its parent is gone. The kernel takes the thread that started it for the parent, so that is one which
    /// lasts as long as the program does: it reads what the program complains about.
    pub(crate) fn start(mut self) -> Result<Running, ProgramError> {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        die_with_parent(&mut self.command, Signal::TERM);
        let (name, mut command) = (self.name, self.command);
        let failed = |source| ProgramError::Start { program: name.to_owned(), source };
        let (tell, told) = mpsc::sync_channel(1);
        let parent = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let (complaints, started) = match command.spawn() {
                Ok(mut child) => (child.stderr.take(), Ok(child)),
                Err(error) => (None, Err(error)),
            };
            // Whoever starts it waits for this message.
            let _ = tell.send(started);
            complaints.map(listen).unwrap_or_default()
        });
        let complaints = Some(parent.map_err(failed)?);
        let told = told.recv().map_err(|_| failed(io::Error::other("its thread broke down")))?;
        let mut child = told.map_err(failed)?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        Ok(Running { name, child: Arc::new(Mutex::new(child)), input, output, complaints })
    }
}

/// A program that runs; it is killed with the value.
pub(crate) struct Running {
    name: &'static str,
    child: Arc<Mutex<Child>>,
    input: Option<ChildStdin>,
    output: Option<ChildStdout>,
    complaints: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    /// What it prints; once.
    pub(crate) fn take_output(&mut self) -> impl Read + Send + use<> {
        Unhurried::of(self.output.take())
    }

    /// Where it reads from; once. Dropping it tells the end.
    pub(crate) fn take_input(&mut self) -> Option<Unhurried<ChildStdin>> {
        self.input.take().map(|input| Unhurried::of(Some(input)))
    }

    /// Tells it to stop when `cancel` is; it cancels what the server does for it.
    pub(crate) fn end_with(&self, cancel: &CancellationToken) {
        let (cancel, child) = (cancel.clone(), Arc::downgrade(&self.child));
        tokio::spawn(async move {
            cancel.cancelled().await;
            if let Some(child) = child.upgrade()
                && let Ok(mut child) = child.lock()
            {
                tell_to_stop(&mut child);
            }
        });
    }

    /// Waits for its end, which comes soon where its output has been read to the end.
    ///
    /// # Errors
    /// It did not succeed.
    pub(crate) fn finish(mut self) -> Result<(), ProgramError> {
        drop((self.input.take(), self.output.take()));
        let complaint = self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let complaint = last_words(&complaint, self.name);
        let program = self.name.to_owned();
        let Ok(mut child) = self.child.lock() else {
            return Err(ProgramError::Failed { program, complaint });
        };
        let status = child.wait().map_err(|source| ProgramError::Start { program: program.clone(), source })?;
        if status.success() {
            return Ok(());
        }
        match std::os::unix::process::ExitStatusExt::signal(&status) {
            Some(signal) => Err(ProgramError::Killed { program, signal, complaint }),
            None => Err(ProgramError::Failed { program, complaint }),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(mut child) = self.child.lock() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One end of a pipe whose other end a program has. Programs read and write 4 KiB at once, and whoever waits at the pipe would be
/// woken for each: a third of the time of a dump. So this end sleeps until there is much to read or much room to write. The pipe is
/// wide enough for the program not to wait meanwhile.
pub(crate) struct Unhurried<P> {
    pipe: Option<P>,
    /// What it holds, bytes. Where the system does not allow it to be wide, nobody sleeps.
    capacity: u64,
}

impl<P: AsFd> Unhurried<P> {
    fn of(pipe: Option<P>) -> Self {
        let capacity = pipe.as_ref().and_then(|pipe| fcntl_setpipe_size(pipe, PIPE).ok()).unwrap_or(0);
        Self { pipe, capacity: capacity as u64 }
    }

    /// Sleeps until `enough` holds of what is in the pipe, or that no longer changes.
    fn rest_until(&self, enough: impl Fn(u64) -> bool) {
        let Some(pipe) = self.pipe.as_ref().filter(|_| self.capacity >= PIPE as u64) else { return };
        let mut before = None;
        while let Ok(held) = ioctl_fionread(pipe) {
            if enough(held) || before == Some(held) {
                return;
            }
            before = Some(held);
            thread::sleep(REST);
        }
    }
}

impl Read for Unhurried<ChildStdout> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.rest_until(|held| held >= (PIPE / 4) as u64);
        self.pipe.as_mut().map_or(Ok(0), |pipe| pipe.read(buffer))
    }
}

impl Write for Unhurried<ChildStdin> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest_until(|held| held <= (PIPE / 2) as u64);
        self.pipe.as_mut().map_or(Ok(0), |pipe| pipe.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Its number is its own until it is waited for, which needs the child too.
fn tell_to_stop(child: &mut Child) {
    if let Ok(None) = child.try_wait()
        && let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw)
    {
        // It may have ended by itself just now.
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// Reads all that is complained, so that the program never waits, and keeps the end of it.
fn listen(mut complaints: ChildStderr) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match complaints.read(&mut buffer) {
            Ok(0) => return kept,
            Ok(count) => {
                kept.extend_from_slice(&buffer[..count]);
                let excess = kept.len().saturating_sub(KEPT);
                kept.drain(..excess);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return kept,
        }
    }
}

/// Without the program's name before each line, which the error has.
fn last_words(complaint: &[u8], program: &str) -> String {
    let text = String::from_utf8_lossy(complaint);
    let prefix = format!("{program}: ");
    let lines = text.lines().map(|line| line.strip_prefix(&prefix).unwrap_or(line).trim());
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}
