//! A Redis of a test's own, on a free port, with nothing on disk.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal};
use serde_json::Value;

/// Dies with the test.
pub struct RedisServer {
    port: u16,
    child: Child,
    folder: tempfile::TempDir,
}

impl RedisServer {
    pub fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let folder = tempfile::tempdir().expect("a folder");
        let child = spawn(port, folder.path());
        Self { port, child, folder }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// As a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// It takes connections, and answers nobody.
    pub fn hang(&self) {
        self.signal(Signal::STOP);
    }

    /// It goes on where it was.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// On the same port, empty.
    pub fn restart(&mut self) {
        self.child = spawn(self.port, self.folder.path());
    }

    async fn connection(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.url()).expect("a good URL");
        // Longer than anything here waits for.
        let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(std::time::Duration::from_mins(1)));
        client.get_multiplexed_async_connection_with_config(&config).await.expect("it answers")
    }

    pub async fn command(&self, words: &[&str]) -> redis::Value {
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command.query_async(&mut self.connection().await).await.expect("a good command")
    }

    /// A stream's entries as `(number, type, event)`, once the one of this number is there.
    pub async fn entries_up_to(&self, stream: &str, newest: i64) -> Vec<(i64, String, Value)> {
        let mut connection = self.connection().await;
        let (mut entries, mut after) = (Vec::<(i64, String, Value)>::new(), "0".to_owned());
        while entries.last().is_none_or(|(id, ..)| *id < newest) {
            let reply: Option<redis::streams::StreamReadReply> = redis::cmd("XREAD")
                .arg("BLOCK")
                .arg(10_000)
                .arg("STREAMS")
                .arg(stream)
                .arg(&after)
                .query_async(&mut connection)
                .await
                .expect("it answers");
            for entry in reply.expect("something comes").keys.into_iter().flat_map(|key| key.ids) {
                let text = |name: &str| entry.get::<String>(name).expect("a field");
                let number = entry.id.split('-').next().and_then(|id| id.parse().ok()).expect("a number");
                entries.push((number, text("type"), serde_json::from_str(&text("event")).expect("JSON")));
                after.clone_from(&entry.id);
            }
        }
        entries
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, folder: &std::path::Path) -> Child {
    let mut child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("Redis is installed: scripts/needs.sh test-database");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let ready = lines.map_while(Result::ok).any(|line| line.contains("Ready to accept connections"));
    assert!(ready, "Redis does not start");
    child
}
