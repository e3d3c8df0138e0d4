//! Starting the binary and reading what it says.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testkit::{TestDb, TestProject, block_on, server};

/// Longer than anything takes on a loaded machine; shorter than a person's patience with a hanging test.
pub const DEADLINE: Duration = Duration::from_mins(2);
/// The account without any rights.
const NOBODY: u32 = 65_534;

/// What a command left.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Done {
    /// Asserts the exit code and gives stdout.
    #[track_caller]
    pub fn ok(self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self.out
    }

    /// Asserts the exit code and gives stderr.
    #[track_caller]
    pub fn err(self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self.err
    }
}

/// `profe` with nothing of the tests' own environment.
pub fn profe(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_profe"));
    command.env_clear().current_dir(folder).stdin(Stdio::null());
    for name in ["PATH", "PG_BIN", "LLVM_PROFILE_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    // Many platforms run beside one another here.
    for name in ["API_GATEWAY_PORT", "AUTH_SERVICE_PORT", "USER_SERVICE_PORT", "ORGANIZATION_SERVICE_PORT"] {
        command.env(name, "0");
    }
    command.env("API_GATEWAY_METRICS", "off");
    command
}

/// A folder to work in, a project of its own, and an empty database for it.
pub struct Workplace {
    pub folder: tempfile::TempDir,
    pub project: TestProject,
    pub database: TestDb,
}

impl Workplace {
    pub fn new() -> Self {
        let database = block_on(server().empty_database());
        Self { folder: open_folder(), project: TestProject::new(), database }
    }

    /// `profe` on the project and the database.
    pub fn profe(&self) -> Command {
        self.profe_at(&self.database.url())
    }

    /// `profe` on the project and another database, or as another user.
    pub fn profe_at(&self, url: &str) -> Command {
        let mut command = profe(self.folder.path());
        command.env("DATABASE_URL", url).env("USER", "ana").arg("--project").arg(self.project.path());
        command
    }

    /// What the database answers, first row and column.
    pub fn value(&self, sql: &str) -> Option<String> {
        block_on(self.database.value(sql))
    }

    /// A role without rights; answers its name and the database's URL for it.
    pub fn plain_user(&self) -> (String, String) {
        let user = format!("plain_{}", self.database.name().trim_start_matches("test_"));
        self.value(&format!("create role {user} login password 'secret'"));
        let url = self.database.url();
        let (_, place) = url.split_once('@').expect("a user");
        let url = format!("postgresql://{user}:secret@{place}");
        (user, url)
    }

    /// Takes it away again: roles belong to the whole server.
    pub fn drop_user(&self, user: &str) {
        self.value(&format!("drop owned by {user} cascade"));
        self.value(&format!("drop role {user}"));
    }
}

/// Runs it to its end.
pub fn run(command: &mut Command, arguments: &[&str]) -> Done {
    let output = command.args(arguments).output().expect("it starts");
    Done {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A client that speaks HTTP. One is made only where something speaks TLS, too.
pub fn client() -> reqwest::blocking::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::blocking::Client::new()
}

/// A port that nobody has at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).expect("a free port").port()
}

/// A folder below /tmp that every account can enter, for private clusters.
pub fn open_folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).expect("our own folder");
    folder
}

/// Whether these tests run as root, and so can become somebody else.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Gives up every right.
pub fn as_nobody(command: &mut Command) -> &mut Command {
    command.uid(NOBODY).gid(NOBODY)
}

/// A command that runs until it is told to stop.
pub struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    errors: mpsc::Receiver<String>,
}

impl Running {
    /// Starts it.
    pub fn start(command: &mut Command, arguments: &[&str]) -> Self {
        let child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("it starts");
        let lines = read(child.stdout.take().expect("piped"));
        let errors = read(child.stderr.take().expect("piped"));
        Self { child, lines, errors }
    }

    /// Waits for a line that has `text`, and gives all lines up to it.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> Vec<String> {
        wait_in(&self.lines, &mut self.child, text)
    }

    /// The same on stderr.
    #[track_caller]
    pub fn wait_for_error(&mut self, text: &str) -> Vec<String> {
        wait_in(&self.errors, &mut self.child, text)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// Its number, which is also that of its group where it was started with one of its own.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits for its end; gives the status, the remaining lines and stderr.
    pub fn end(mut self) -> (ExitStatus, Vec<String>, String) {
        let status = self.child.wait().expect("a child");
        (status, self.lines.iter().collect(), self.errors.iter().collect::<Vec<_>>().join("\n"))
    }

    /// Ctrl-C, and everything that came of it.
    pub fn interrupt(self) -> (ExitStatus, Vec<String>, String) {
        self.signal(Signal::INT);
        self.end()
    }
}

fn read(stream: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (send, lines) = mpsc::channel();
    let stream = BufReader::new(stream);
    std::thread::spawn(move || stream.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    lines
}

#[track_caller]
fn wait_in(lines: &mpsc::Receiver<String>, child: &mut Child, text: &str) -> Vec<String> {
    let give_up = Instant::now() + DEADLINE;
    let mut seen = Vec::new();
    loop {
        let Ok(line) = lines.recv_timeout(give_up.saturating_duration_since(Instant::now())) else {
            // Nothing is left to lose: the test fails.
            let _ = child.kill();
            panic!("no line with {text:?} in {seen:#?}");
        };
        seen.push(line);
        if seen.last().is_some_and(|line| line.contains(text)) {
            return seen;
        }
    }
}

/// Waits until the query says `t`.
#[track_caller]
pub fn until(database: &TestDb, query: &str) {
    let give_up = Instant::now() + DEADLINE;
    while block_on(database.value(query)).as_deref() != Some("t") {
        assert!(Instant::now() < give_up, "waited in vain for: {query}");
    }
}

/// Whether something listens there.
pub fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}
