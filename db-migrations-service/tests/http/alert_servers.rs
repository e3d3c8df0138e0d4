//! A Prometheus and an Alertmanager of a test's own, on free ports; they die with the test.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// One of the two.
pub struct Server {
    pub port: u16,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port()
}

impl Server {
    fn spawn(program: &str, port: u16, folder: tempfile::TempDir, arguments: &[&str]) -> Self {
        let child = Command::new(program)
            .args(arguments)
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}; scripts/needs.sh test-database installs it"));
        Self { port, child, _folder: folder }
    }

    /// Notifies nobody.
    pub async fn alertmanager() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n";
        std::fs::write(folder.path().join("alertmanager.yml"), config).expect("a file");
        let arguments =
            ["--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address=", "--log.level=error"];
        let server = Self::spawn("prometheus-alertmanager", free_port(), folder, &arguments);
        server.ready().await;
        server
    }

    /// Scrapes this service and evaluates these rules every second, and tells this Alertmanager.
    pub async fn prometheus(service: std::net::SocketAddr, rules: &str, alertmanager: &Self) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config =
            "global: { scrape_interval: 1s, evaluation_interval: 1s }\nrule_files: [rules.yml]\n".to_owned();
        let _ = write!(
            config,
            "scrape_configs: [{{ job_name: profe, static_configs: [{{ targets: [\"{service}\"] }}] }}]\n\
             alerting: {{ alertmanagers: [{{ static_configs: [{{ targets: [\"127.0.0.1:{}\"] }}] }}] }}\n",
            alertmanager.port
        );
        std::fs::write(folder.path().join("prometheus.yml"), config).expect("a file");
        std::fs::write(folder.path().join("rules.yml"), rules).expect("a file");
        let arguments = [
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--rules.alert.resend-delay=1s",
            "--log.level=error",
        ];
        let server = Self::spawn("prometheus", free_port(), folder, &arguments);
        server.ready().await;
        server
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub async fn get(&self, path: &str) -> Option<Value> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = client.get(format!("{}{path}", self.url())).send().await.ok()?;
        let answer = answer.error_for_status().ok()?.text().await.ok()?;
        Some(serde_json::from_str(&answer).unwrap_or(Value::Null))
    }

    async fn ready(&self) {
        until("it starts", async || self.get("/-/ready").await.is_some()).await;
    }

    /// The rules of what Alertmanager says is firing, in order, each once.
    pub async fn firing(&self) -> Vec<String> {
        let alerts = self.get("/api/v2/alerts").await.unwrap_or_default();
        let mut rules: Vec<_> = alerts
            .as_array()
            .into_iter()
            .flatten()
            .map(|alert| alert["labels"]["rule"].as_str().expect("a rule").to_owned())
            .collect();
        rules.sort();
        rules.dedup();
        rules
    }
}

/// Asks until it is so.
pub async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let asking = async {
        let mut beat = tokio::time::interval(Duration::from_millis(100));
        while !is_so().await {
            beat.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), asking)
        .await
        .unwrap_or_else(|_| panic!("not within a minute: {what}"));
}
