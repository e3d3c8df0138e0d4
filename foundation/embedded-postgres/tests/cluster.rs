//! A private cluster on the real PostgreSQL of this machine: started, refused, killed, moved, stopped.

#![expect(clippy::print_stderr, reason = "the supervisor to be killed talks to its test")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use embedded_postgres::{Binaries, Cluster, ClusterOptions, Guest, StartError};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// A folder that the account of the server can enter; tempfile makes them for oneself only.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("own folder");
    folder
}

fn options(folder: &Path) -> ClusterOptions {
    ClusterOptions::new(folder.join("cluster")).unsafe_without_fsync()
}

fn query(cluster: &Cluster, sql: &str) -> String {
    let binaries = Binaries::find(&|name| std::env::var(name).ok()).expect("found before");
    let psql = binaries.folder().join("psql");
    let output =
        Command::new(psql).args(["-XAtq", "-d", &cluster.url("postgres"), "-c", sql]).output().expect("psql runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

fn pid(number: i32) -> Pid {
    Pid::from_raw(number).expect("a process number")
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        std::thread::yield_now();
    }
}

#[test]
fn starts_serves_stops_and_starts_again_with_its_data() {
    let folder = folder();
    let cluster = Cluster::start(&options(folder.path())).expect("first start");
    assert_eq!(query(&cluster, "create table kept (); select 'made'"), "made");
    assert_eq!(query(&cluster, "show data_checksums"), "on");
    assert_eq!(query(&cluster, "show server_encoding"), "UTF8");
    assert_eq!(query(&cluster, "show unix_socket_directories"), "");
    assert_eq!(query(&cluster, "show fsync"), "off");
    let password = fs::metadata(folder.path().join("cluster/password")).expect("it is there");
    assert_eq!(password.mode() & 0o777, 0o600);
    assert!(!format!("{cluster:?}").contains(cluster.password()));
    let (port, process) = (cluster.port(), pid(cluster.pid()));
    cluster.stop();
    assert!(test_kill_process(process).is_err(), "the server is gone");
    assert!(TcpListener::bind(("127.0.0.1", port)).is_ok(), "so is its port");

    let begin = Instant::now();
    let cluster = Cluster::start(&options(folder.path())).expect("second start");
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(cluster.port(), port, "the port is remembered");
    assert_eq!(query(&cluster, "select count(*) from kept"), "0");
}

#[test]
fn a_second_supervisor_is_refused_and_learns_who_holds_it() {
    let folder = folder();
    let _first = Cluster::start(&options(folder.path())).expect("first start");
    match Cluster::start(&options(folder.path())) {
        Err(StartError::InUse { pid, .. }) => assert_eq!(pid, i32::try_from(std::process::id()).expect("small")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn guests_are_seen_and_kept_out_of_a_server_that_ends() {
    let folder = folder();
    let place = folder.path().join("cluster");
    assert!(Guest::enter(&place).expect("nothing is there").is_none());
    let cluster = Cluster::start(&options(folder.path())).expect("first start");
    let enter = || Guest::enter(&place).expect("readable");
    let (first, second) = (enter().expect("it runs"), enter().expect("it runs"));
    assert_eq!(first.url("postgres"), cluster.url("postgres"));
    assert!(!format!("{first:?}").contains(cluster.password()));
    assert!(!cluster.close_to_guests());
    drop(first);
    assert!(!cluster.close_to_guests(), "one is left");
    assert!(enter().is_some(), "asking has changed nothing");
    drop(second);
    assert!(cluster.close_to_guests());
    assert!(enter().is_none());
    cluster.stop();
    assert!(enter().is_none(), "nobody runs it");
    let _again = Cluster::start(&options(folder.path())).expect("second start");
    assert!(enter().is_some());
}

#[test]
fn a_lost_password_is_told_as_that() {
    let folder = folder();
    let file = folder.path().join("cluster/password");
    let cluster = Cluster::start(&options(folder.path())).expect("first start");
    let password = fs::read(&file).expect("it is there");
    fs::remove_file(&file).expect("ours");
    let lost = |error: StartError| {
        assert!(matches!(error, StartError::PasswordLost { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("cluster/password is missing") && text.contains("put the file back"), "{text}");
    };
    lost(Guest::enter(&folder.path().join("cluster")).expect_err("no password"));
    cluster.stop();
    lost(Cluster::start(&options(folder.path())).expect_err("no password"));
    assert!(!file.exists(), "no other password is made up");
    fs::write(&file, password).expect("ours");
    assert_eq!(query(&Cluster::start(&options(folder.path())).expect("it is back"), "select 1"), "1");
}

#[test]
fn survives_kill_9_of_the_server() {
    let folder = folder();
    let cluster = Cluster::start(&options(folder.path())).expect("first start");
    query(&cluster, "create table kept ()");
    kill_process(pid(cluster.pid()), Signal::KILL).expect("it runs");
    wait_until("the death is noticed", || !cluster.is_running());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert_eq!(runtime.block_on(cluster.exited()).to_string(), "PostgreSQL was killed by signal 9");
    drop(cluster);
    let cluster = Cluster::start(&options(folder.path())).expect("start after the crash");
    assert_eq!(query(&cluster, "select count(*) from kept"), "0");
}

/// Not a test of its own: the process that the next test kills.
#[test]
#[ignore = "run by survives_kill_9_of_the_supervisor"]
fn supervisor_to_be_killed() {
    let Ok(folder) = std::env::var("CLUSTER_TEST_FOLDER") else { return };
    let cluster = Cluster::start(&options(Path::new(&folder))).expect("started");
    eprintln!("server {}", cluster.pid());
    loop {
        std::thread::park();
    }
}

#[test]
fn survives_kill_9_of_the_supervisor() {
    let folder = folder();
    let mut supervisor = Command::new(std::env::current_exe().expect("this file"))
        .args(["--exact", "supervisor_to_be_killed", "--ignored", "--nocapture"])
        .env("CLUSTER_TEST_FOLDER", folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a second process");
    let lines = BufReader::new(supervisor.stderr.take().expect("piped")).lines();
    let server: i32 = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("server ")?.parse().ok())
        .expect("it tells its server");
    supervisor.kill().expect("kill -9");
    supervisor.wait().expect("gone");
    let cluster = Cluster::start(&options(folder.path())).expect("start after the supervisor's death");
    assert_ne!(cluster.pid(), server);
    assert_eq!(query(&cluster, "select 1"), "1");
}

#[test]
fn a_taken_port_is_avoided_or_reported() {
    let folder = folder();
    let port = Cluster::start(&options(folder.path())).expect("first start").port();
    let taken = TcpListener::bind(("127.0.0.1", port)).expect("free after the stop");
    let cluster = Cluster::start(&options(folder.path())).expect("start elsewhere");
    assert_ne!(cluster.port(), port);
    drop(cluster);
    let mut fixed = options(folder.path());
    fixed.port = Some(port);
    match Cluster::start(&fixed) {
        Err(StartError::PortTaken { port: named }) => assert_eq!(named, port),
        other => panic!("{other:?}"),
    }
    drop(taken);
    assert_eq!(Cluster::start(&fixed).expect("free again").port(), port);
}

#[test]
fn a_folder_the_server_cannot_reach_is_named() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root changes to another account.
    }
    let closed = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).expect("own folder");
    match Cluster::start(&options(closed.path())) {
        Err(error @ StartError::Unreachable { .. }) => {
            let text = error.to_string();
            assert!(text.contains(&format!("cannot enter {}", closed.path().display())), "{text}");
            assert!(text.contains("/var/lib/"), "it names a folder that works: {text}");
        }
        other => panic!("{other:?}"),
    }
    assert!(fs::read_dir(closed.path()).expect("readable").next().is_none(), "nothing was made");
    // The data folder itself is given to the account where it was made for this.
    let itself = ClusterOptions::new(closed.path()).unsafe_without_fsync();
    assert_eq!(query(&Cluster::start(&itself).expect("empty, so ours"), "select 1"), "1");
}

#[test]
fn data_of_another_major_version_is_left_alone() {
    let folder = folder();
    let data = folder.path().join("cluster/data");
    fs::create_dir_all(&data).expect("made");
    fs::write(data.join("PG_VERSION"), "9\n").expect("written");
    match Cluster::start(&options(folder.path())) {
        Err(error @ StartError::OtherVersion { data_major: 9, .. }) => {
            assert!(error.to_string().contains("apt-get install postgresql-9"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unfinished_cluster_is_made_anew() {
    let folder = folder();
    let unfinished = folder.path().join("cluster/data.tmp");
    fs::create_dir_all(&unfinished).expect("made");
    fs::write(unfinished.join("half"), "").expect("written");
    let cluster = Cluster::start(&options(folder.path())).expect("started");
    assert!(!unfinished.exists());
    assert_eq!(query(&cluster, "select 1"), "1");
}

#[test]
fn a_bad_setting_is_explained_with_the_log() {
    let folder = folder();
    match Cluster::start(&options(folder.path()).setting("shared_buffers", "lots")) {
        Err(error @ StartError::Failed { .. }) => assert!(error.to_string().contains("shared_buffers"), "{error}"),
        other => panic!("{other:?}"),
    }
    match Cluster::start(&ClusterOptions { superuser: "pg_no".into(), ..options(folder.path().join("b").as_path()) }) {
        Err(error @ StartError::InitialiseFailed { .. }) => assert!(error.to_string().contains("pg_"), "{error}"),
        other => panic!("{other:?}"),
    }
}
