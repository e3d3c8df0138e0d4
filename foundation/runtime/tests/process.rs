//! What only a whole process can show: signals, and logging that is set up once.

#![expect(clippy::print_stderr, reason = "the child talks to its test")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use runtime::{shutdown, telemetry};
use rustix::process::{Pid, Signal, kill_process};

/// Not a test of its own: the process that the tests below send signals to.
#[test]
#[ignore = "run by the other tests"]
fn child() {
    let Ok(patience) = std::env::var("RUNTIME_TEST_CHILD") else { return };
    let _telemetry = telemetry::init("info", telemetry::Format::Json, None, &[]).expect("first time");
    let again = telemetry::init("info", telemetry::Format::Human, None, &[]);
    assert_eq!(again.expect_err("the second time"), telemetry::TelemetryError::Twice);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let token = shutdown::on_signals().expect("handlers");
        eprintln!("ready");
        token.cancelled().await;
        eprintln!("stopping");
        if patience == "endless" {
            std::future::pending::<()>().await;
        }
    });
    std::process::exit(7);
}

struct Process {
    child: Child,
    lines: BufReader<std::process::ChildStderr>,
}

impl Process {
    fn start(patience: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this file"))
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env("RUNTIME_TEST_CHILD", patience)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a process");
        let lines = BufReader::new(child.stderr.take().expect("piped"));
        let mut process = Self { child, lines };
        process.wait_for("ready");
        process
    }

    /// Reads up to this line and returns what came before it.
    fn wait_for(&mut self, wanted: &str) -> String {
        let mut before = String::new();
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).expect("UTF-8") > 0, "ended before `{wanted}`: {before}");
            if line.trim() == wanted {
                return before;
            }
            before.push_str(&line);
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("small")).expect("a process number");
        kill_process(pid, signal).expect("it runs");
    }

    /// The exit code and the rest of the log.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("UTF-8");
        (self.child.wait().expect("ended").code(), rest)
    }
}

#[test]
fn either_signal_cancels_and_the_log_is_json() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut process = Process::start("none");
        process.signal(signal);
        let log = process.wait_for("stopping");
        assert!(log.contains("\"level\":\"INFO\"") && log.contains("\"message\":\"SIG"), "{log}");
        assert_eq!(process.end().0, Some(7), "the program ends by itself");
    }
}

#[test]
fn a_second_interrupt_ends_at_once() {
    for first in [Signal::INT, Signal::TERM] {
        let mut process = Process::start("endless");
        process.signal(first);
        process.wait_for("stopping");
        process.signal(Signal::INT);
        let (code, log) = process.end();
        assert_eq!(code, Some(130), "{log}");
    }
}
