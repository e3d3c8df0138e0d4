//! A disk that fills up and a server without connections: they fire while it is so, and are over when it is not, for the
//! service itself and for a real Prometheus with its rules.

use std::path::{Path, PathBuf};

use db_migrations_service::alerts::rules::rule_file;
use postgres_link::AdminConn;
use serde_json::{Value, json};
use testkit::faults::OwnServer;

use crate::alert_servers::{Server, until};
use crate::alerts::catalogue;
use crate::metrics::Scrape;
use crate::world::{Setup, World, world_with};

/// A file system in memory that everybody may write to; `docker run --shm-size=256m` where it is small.
const MEMORY: &str = "/dev/shm";
/// The server takes so many sessions, some of them of superusers only, …
const SETTINGS: &[(&str, &str)] = &[("max_connections", "20"), ("superuser_reserved_connections", "3")];
/// … and so many are too many: more than 60 % of 17.
const MANY: usize = 12;

/// The disk in memory, with the threshold of the rule between how full it is and how full it will be made.
struct Disk {
    folder: tempfile::TempDir,
    threshold: u64,
    filled_bytes: u64,
}

impl Disk {
    /// Others have something there too: they may come and go without crossing the threshold.
    fn new() -> Self {
        let room = rustix::fs::statvfs(MEMORY).expect("Linux");
        let (size, free) = (room.f_blocks * room.f_frsize, room.f_bavail * room.f_frsize);
        let (percent, margin) = (size / 100, (size / 100).max(48 << 20));
        assert!(free > 3 * margin, "{MEMORY} has too little room for this test: {free} bytes");
        let threshold = (free - margin) / percent;
        let filled_bytes = free + margin - threshold * percent;
        let folder = tempfile::tempdir_in(MEMORY).expect("a folder");
        Self { folder, threshold, filled_bytes }
    }

    fn ballast(&self) -> PathBuf {
        self.folder.path().join("ballast")
    }

    fn fill(&self) {
        let mut file = std::fs::File::create(self.ballast()).expect("a file");
        std::io::copy(&mut std::io::Read::take(std::io::repeat(1), self.filled_bytes), &mut file)
            .expect("there is room");
    }

    fn empty(&self) {
        std::fs::remove_file(self.ballast()).expect("it is there");
    }
}

async fn sessions(server: &OwnServer, number: usize) -> Vec<AdminConn> {
    let mut sessions = Vec::new();
    for _ in 0..number {
        sessions.push(server.session("postgres").await);
    }
    sessions
}

/// What the service itself says of a look at how it is now.
async fn firing(world: &World) -> Vec<(String, Option<String>)> {
    world.operations.sample_now().await;
    world.operations.evaluate_alerts(time::OffsetDateTime::now_utc()).await.expect("the master database answers");
    let alerts = world.get("/api/alerts?state=firing").await.is(200);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let alert = |alert: &Value| (text(&alert["rule"]).expect("a rule"), text(&alert["subject"]));
    let mut firing: Vec<_> = alerts["alerts"].as_array().expect("a list").iter().map(alert).collect();
    firing.sort();
    firing
}

fn of(rule: &str, subject: Option<&str>) -> (String, Option<String>) {
    (rule.to_owned(), subject.map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_and_a_full_server_fire_and_are_over_when_there_is_room_again() {
    let server =
        tokio::task::spawn_blocking(|| OwnServer::start_below(Path::new(MEMORY), SETTINGS)).await.expect("no panic");
    let disk = Disk::new();
    server.session("postgres").await.batch("CREATE DATABASE escuela").await.expect("it may");
    let alerts = format!(
        "[alerts.low-disk]\nthreshold = {}\nfor = \"0s\"\n[alerts.too-many-connections]\nthreshold = 60\nfor = \"0s\"\n",
        disk.threshold
    );
    let variables = vec![
        ("DEVELOPMENT_URL", server.url("escuela")),
        ("MIGRATION_SERVICE_BACKUP_STORAGE", disk.folder.path().display().to_string()),
    ];
    let files = catalogue(Box::leak(alerts.into_boxed_str()));
    let world = world_with(Setup { files, variables, ..Setup::default() }).await;
    world.post("/api/migrations/run", json!({ "wait": true })).await.is(200);
    let alertmanager = Server::alertmanager().await;
    let _prometheus = Server::prometheus(world.address, &rule_file(world.operations.catalogue()), &alertmanager).await;
    let prometheus_says = async |wanted: &[&str]| {
        until(&format!("Prometheus says {wanted:?}"), async || {
            world.operations.sample_now().await;
            alertmanager.firing().await == wanted
        })
        .await;
    };
    assert_eq!(firing(&world).await, []);

    disk.fill();
    let low_disk = [of("low-disk", Some("backups")), of("low-disk", Some("data"))];
    assert_eq!(firing(&world).await, low_disk, "both lie there");
    prometheus_says(&["low-disk"]).await;
    disk.empty();
    assert_eq!(firing(&world).await, []);
    prometheus_says(&[]).await;

    let many = sessions(&server, MANY).await;
    assert_eq!(firing(&world).await, [of("too-many-connections", None)]);
    prometheus_says(&["too-many-connections"]).await;
    drop(many);
    until("the sessions are gone", async || firing(&world).await.is_empty()).await;
    prometheus_says(&[]).await;

    // Nobody is let in any more: that is all that is known of it.
    let mut all = Vec::new();
    while let Ok(session) = postgres_link::connect(&server.connect("postgres")).await {
        all.push(session);
    }
    let refused = "profe_migration_target_connections_refused{environment=\"development\"}";
    Scrape::now(&world).await.is(refused, 1.0);
    Scrape::now(&world).await.is("pg_up{environment=\"development\"}", 0.0);
    assert_eq!(firing(&world).await, [of("too-many-connections", None)]);
    prometheus_says(&["too-many-connections"]).await;
    drop(all);
    until("somebody is let in", async || firing(&world).await.is_empty()).await;
    Scrape::now(&world).await.is(refused, 0.0);
    prometheus_says(&[]).await;
}
