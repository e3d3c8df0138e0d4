//! A copy of the service: a process that is started again whenever it ends.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Outcome;
use crate::journal::Journal;

/// Longer than a copy may take to end: its grace time, and what it has to write.
const ENDS_WITHIN: Duration = Duration::from_mins(1);
/// Of a copy that was told to end before it had started.
const CANCELLED: i32 = 130;
/// What supervises processes elsewhere waits as long.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// What it takes of memory and of the process's tables.
#[derive(Debug, Clone, Copy, Default)]
pub struct Measures {
    /// Resident, KiB, soon after a start.
    pub first_kib: u64,
    /// The most.
    pub most_kib: u64,
    /// The last.
    pub last_kib: u64,
    /// Open files: the most.
    pub most_files: usize,
    /// Open files: the last.
    pub last_files: usize,
    /// How often it was started.
    pub starts: u32,
}

/// How it is.
struct State {
    pid: Option<i32>,
    /// How long it stays away after its next end.
    away: Duration,
    /// It was told to end, at this moment.
    told_to_end: Option<Instant>,
    /// It was killed by the soak.
    killed: bool,
    closing: bool,
    measures: Measures,
    deviations: Vec<String>,
}

/// One copy.
pub struct ServiceCopy {
    /// From 0.
    pub number: usize,
    /// Where it listens.
    pub port: u16,
    log: PathBuf,
    state: Mutex<State>,
}

impl ServiceCopy {
    /// Not started yet.
    pub fn new(number: usize, port: u16, folder: &Path) -> Self {
        let state = State {
            pid: None,
            away: RESTART_AFTER,
            told_to_end: None,
            killed: false,
            closing: false,
            measures: Measures::default(),
            deviations: Vec::new(),
        };
        Self { number, port, log: folder.join(format!("copy-{number}.log")), state: Mutex::new(state) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Keeps it alive until it is closed. Blocks: for a thread of its own.
    pub fn keep(&self, command: impl Fn() -> Command, journal: &Journal) -> Outcome<()> {
        let lane = format!("copy-{}", self.number);
        loop {
            let log = File::options().create(true).append(true).open(&self.log).map_err(|e| e.to_string())?;
            let error = log.try_clone().map_err(|e| e.to_string())?;
            let mut command = command();
            command.stdin(Stdio::null()).stdout(log).stderr(error);
            let mut child = command.spawn().map_err(|error| format!("a copy does not start: {error}"))?;
            {
                let mut state = self.state();
                state.pid = i32::try_from(child.id()).ok();
                state.measures.starts += 1;
                (state.away, state.killed, state.told_to_end) = (RESTART_AFTER, false, None);
                if state.closing {
                    drop(child.kill());
                }
            }
            let status = child.wait().map_err(|error| error.to_string())?;
            let mut state = self.state();
            state.pid = None;
            journal.tell(&lane, &format!("ended: {status}"));
            if !state.killed {
                use std::os::unix::process::ExitStatusExt as _;
                if let Some(signal) = status.signal() {
                    state.deviations.push(format!("copy {} was ended by signal {signal}", self.number));
                }
                if status.code() == Some(101)
                    || (state.told_to_end.is_some() && !matches!(status.code(), Some(0 | CANCELLED)))
                {
                    state.deviations.push(format!("copy {} ended with {status}", self.number));
                }
            }
            if state.closing {
                return Ok(());
            }
            let away = state.away;
            drop(state);
            std::thread::sleep(away);
        }
    }

    /// `kill -9`; it stays away for so long.
    pub fn kill(&self, away: Duration) {
        self.signal(Signal::KILL, away, |state| state.killed = true);
    }

    /// SIGTERM.
    pub fn end(&self, away: Duration) {
        self.signal(Signal::TERM, away, |state| state.told_to_end = Some(Instant::now()));
    }

    /// SIGTERM, and no start after that.
    pub fn close(&self) {
        self.signal(Signal::TERM, Duration::ZERO, |state| {
            state.closing = true;
            state.told_to_end = Some(Instant::now());
        });
    }

    /// It stands still.
    pub fn stop(&self) {
        self.signal(Signal::STOP, RESTART_AFTER, |_| ());
    }

    /// It goes on.
    pub fn go_on(&self) {
        self.signal(Signal::CONT, RESTART_AFTER, |_| ());
    }

    fn signal(&self, signal: Signal, away: Duration, also: impl FnOnce(&mut State)) {
        let mut state = self.state();
        if let Some(pid) = state.pid.and_then(Pid::from_raw) {
            // It may have ended meanwhile.
            let _ = kill_process(pid, signal);
            state.away = away;
        }
        also(&mut state);
    }

    /// Looks at what it takes; what does not end in time is killed, and told.
    pub fn measure(&self) {
        let mut state = self.state();
        let Some(pid) = state.pid else { return };
        if state.told_to_end.is_some_and(|since| since.elapsed() > ENDS_WITHIN) {
            state.deviations.push(format!("copy {} did not end within {ENDS_WITHIN:?} of a SIGTERM", self.number));
            (state.killed, state.told_to_end) = (true, None);
            Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
        }
        let Some(kib) = resident_kib(pid) else { return };
        let files = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        let measures = &mut state.measures;
        if measures.first_kib == 0 {
            measures.first_kib = kib;
        }
        measures.most_kib = measures.most_kib.max(kib);
        measures.last_kib = kib;
        measures.most_files = measures.most_files.max(files);
        measures.last_files = files;
    }

    /// What it took.
    pub fn measures(&self) -> Measures {
        self.state().measures
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.state().pid.is_some()
    }

    /// What it did that no copy may do.
    pub fn deviations(&self) -> Vec<String> {
        let mut all = self.state().deviations.clone();
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        all.extend(log.lines().filter(|line| line.contains("panicked")).map(|line| format!("a panic: {line}")));
        all
    }
}

fn resident_kib(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
