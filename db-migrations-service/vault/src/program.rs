//! PostgreSQL's own programs, as children that end with whoever started them.

use std::io::{self, Read};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use embedded_postgres::Tools;
use postgres_link::ConnectOptions;
use tokio_util::sync::CancellationToken;

/// How much of what a program complains about is kept: its last words.
const KEPT: usize = 4_000;

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
    pub(crate) fn start(mut self) -> Result<Running, ProgramError> {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |source| ProgramError::Start { program: self.name.to_owned(), source };
        let mut child = self.command.spawn().map_err(failed)?;
        let complaints = child.stderr.take().map(listen);
        let (input, output) = (child.stdin.take(), child.stdout.take());
        Ok(Running { name: self.name, child: Arc::new(Mutex::new(child)), input, output, complaints })
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
        Optional(self.output.take())
    }

    /// Where it reads from; once. Dropping it tells the end.
    pub(crate) fn take_input(&mut self) -> Option<ChildStdin> {
        self.input.take()
    }

    /// Kills it when `cancel` is.
    pub(crate) fn end_with(&self, cancel: &CancellationToken) {
        let (cancel, child) = (cancel.clone(), Arc::downgrade(&self.child));
        tokio::spawn(async move {
            cancel.cancelled().await;
            if let Some(child) = child.upgrade()
                && let Ok(mut child) = child.lock()
            {
                // It may have ended by itself.
                let _ = child.kill();
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

struct Optional(Option<ChildStdout>);

impl Read for Optional {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Ok(0), |output| output.read(buffer))
    }
}

/// Reads all that is complained, so that the program never waits, and keeps the end of it.
fn listen(mut complaints: ChildStderr) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = complaints.read(&mut buffer) {
            kept.extend_from_slice(&buffer[..count]);
            let excess = kept.len().saturating_sub(KEPT);
            kept.drain(..excess);
        }
        kept
    })
}

/// Without the program's name before each line, which the error has.
fn last_words(complaint: &[u8], program: &str) -> String {
    let text = String::from_utf8_lossy(complaint);
    let prefix = format!("{program}: ");
    let lines = text.lines().map(|line| line.strip_prefix(&prefix).unwrap_or(line).trim());
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}
