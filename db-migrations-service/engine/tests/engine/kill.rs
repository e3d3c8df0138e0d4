//! `kill -9` of the runner at every message boundary, forward and back, and the next run puts it right.
//!
//! The runner is this very test binary in a process of its own. It reaches the server through a proxy that counts its
//! messages and kills it at the n-th: before the message is sent on, or right after, when the server works on without
//! anybody to answer to.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use migration_engine::request::{RollbackRequest, RollbackTo, RunContext, Scope};
use migration_engine::{Engine, Project, Target};
use postgres_link::ConnectOptions;
use testkit::{TestProject, server};

use crate::help::{World, all, until};
use crate::proxy::{self, When};

const CHILD: &str = "PROFE_TEST_KILL_CHILD";

/// Transactional and not, one after the other and within one file.
fn mixed(project: &TestProject) {
    project
        .migration(
            "alpha/1_tables",
            "CREATE TYPE alpha.k AS ENUM ('a');\nCREATE TABLE alpha.t (x int, y int, k alpha.k);\nINSERT INTO alpha.t SELECT g, g, 'a' FROM generate_series(1, 500) g;\n\
             CREATE TABLE alpha.log (n int);",
            "DROP TABLE alpha.log;\nDROP TABLE alpha.t;\nDROP TYPE alpha.k;",
        )
        .migration("alpha/2_index", "CREATE INDEX CONCURRENTLY t_x ON alpha.t (x);", "DROP INDEX CONCURRENTLY alpha.t_x;")
        .migration(
            "alpha/3_mixed",
            "INSERT INTO alpha.log VALUES (1);\nCREATE UNIQUE INDEX CONCURRENTLY t_y ON alpha.t (y);\nINSERT INTO alpha.log VALUES (2);\n\
             DROP INDEX CONCURRENTLY alpha.t_x;\nVACUUM alpha.t;\nREINDEX INDEX CONCURRENTLY alpha.t_y;\nINSERT INTO alpha.log VALUES (3);",
            "DELETE FROM alpha.log WHERE n = 3;\nCREATE INDEX CONCURRENTLY t_x ON alpha.t (x);\nDELETE FROM alpha.log WHERE n = 2;\n\
             DROP INDEX CONCURRENTLY alpha.t_y;\nDELETE FROM alpha.log WHERE n = 1;",
        )
        .migration(
            "beta/4_partitions",
            "CREATE TABLE beta.p (x int) PARTITION BY LIST (x);\nCREATE TABLE beta.p1 PARTITION OF beta.p FOR VALUES IN (1);",
            "DROP TABLE beta.p;",
        )
        .migration(
            "beta/5_detach",
            "ALTER TABLE beta.p DETACH PARTITION beta.p1 CONCURRENTLY;\nCREATE TABLE beta.after ();",
            "DROP TABLE beta.after;\nALTER TABLE beta.p ATTACH PARTITION beta.p1 FOR VALUES IN (1);",
        )
        .migration("gamma/6_plain", "CREATE TABLE gamma.z (id int PRIMARY KEY);", "DROP TABLE gamma.z;");
}

/// Everything that a later run could see: the catalog, the rows, the history, and what was left over.
const SNAPSHOT: &str = "
SELECT 'relation ' || c.oid::regclass || ' ' || c.relkind::text || ' ' || coalesce(pg_get_indexdef(i.indexrelid) || ' valid ' || i.indisvalid, '')
  FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('alpha', 'beta', 'gamma')
UNION ALL SELECT 'column ' || attrelid::regclass || '.' || attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('alpha', 'beta', 'gamma') AND attnum > 0 AND NOT attisdropped
UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace::regnamespace::text IN ('alpha', 'beta', 'gamma')
UNION ALL SELECT 'partition ' || inhrelid::regclass || ' of ' || inhparent::regclass || ' pending ' || inhdetachpending FROM pg_inherits
UNION ALL SELECT 'history ' || schema_name || ' ' || version FROM migration_service.history WHERE rolled_back_at IS NULL
UNION ALL SELECT 'left over ' || version FROM migration_service.journal
UNION ALL SELECT 'failed ' || version FROM migration_service.failure
ORDER BY 1";

/// The runner of the other process.
#[tokio::test]
#[ignore = "run by the other tests"]
async fn child() {
    let task = std::env::var(CHILD).unwrap();
    let [action, project, url] = task.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
    let target = Target {
        environment: "development".to_owned(),
        connect: ConnectOptions::parse(url).unwrap(),
        create_database: false,
    };
    let engine = Engine::new(Arc::new(Project::open(project.as_ref()).unwrap()), target);
    let context = RunContext {
        run_id: uuid::Uuid::new_v4(),
        actor: "the child".to_owned(),
        events: migration_engine::EventSink::none(),
        cancel: tokio_util::sync::CancellationToken::new(),
        wait_for_lock: Duration::ZERO,
    };
    let prepared = match action {
        "run" => engine.prepare_run(all(), context).await,
        _ => engine.prepare_rollback(everything_back(), context).await,
    };
    let report = prepared.unwrap().execute().await;
    assert!(report.error.is_none(), "{:#?}", report.error);
}

fn everything_back() -> RollbackRequest {
    RollbackRequest { scope: Scope::All, to: RollbackTo::Version("0".parse().unwrap()), dry_run: false }
}

/// The command that starts the runner.
fn runner(w: &World, action: &str, url: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "kill::child", "--ignored", "--nocapture"])
        .env(CHILD, format!("{action} {} {url}", w.project.path().display()))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    command
}

/// Starts the runner and kills it at message `fatal`. Answers how many messages it got to send, and whether it ended
/// by itself.
pub async fn run_and_kill(w: &World, action: &str, fatal: usize, when: When) -> (usize, bool) {
    let victim: Arc<std::sync::Mutex<Option<rustix::process::Pid>>> = Arc::default();
    let killer = Arc::clone(&victim);
    let proxy = proxy::start(server().connect().host_summary(), fatal, when, move || {
        if let Some(pid) = *killer.lock().unwrap() {
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
    })
    .await;
    let real = w.db.url();
    let (credentials, rest) = real.split_once('@').unwrap();
    let (_, database) = rest.split_once('/').unwrap();
    let url = format!("{credentials}@127.0.0.1:{}/{database}", proxy.port);
    let mut command = runner(w, action, &url);
    let mut child = {
        // Held while it starts, so that the killer cannot come before there is a victim.
        let mut slot = victim.lock().unwrap();
        let child = command.spawn().unwrap();
        *slot = rustix::process::Pid::from_raw(child.id().cast_signed());
        child
    };
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert!(status.success() || status.signal() == Some(9), "the runner failed by itself: {status}");
    (proxy.messages.load(Ordering::SeqCst), status.success())
}

async fn snapshot(w: &World) -> Vec<String> {
    let mut lines = w.db.rows(SNAPSHOT).await;
    if lines.iter().any(|line| line.starts_with("relation alpha.log ")) {
        lines.extend(
            w.db.rows("SELECT 'rows ' || coalesce(string_agg(n::text, ',' ORDER BY n), '') FROM alpha.log").await,
        );
    }
    lines
}

/// Kills at every message of `action`, each time on a fresh target that `before` prepared, and lets `after` finish.
async fn at_every_message(action: &'static str, applied_before: bool, expected: &[String]) {
    for when in [When::Before, When::After] {
        for fatal in 1.. {
            let w = World::new().await;
            mixed(&w.project);
            if applied_before {
                w.run_ok().await;
            }
            let (sent, ended) = run_and_kill(&w, action, fatal, when).await;
            if ended {
                assert!(fatal > 20, "the runner sends more messages than {sent}: the killing does not work");
                break;
            }
            assert_eq!(sent, fatal, "killed at another message");
            // The server may take a moment to see that the sessions of the dead one are gone.
            let patient = RunContext { wait_for_lock: Duration::from_secs(30), ..w.context() };
            let prepared = match action {
                "run" => w.engine().prepare_run(all(), patient).await,
                _ => w.engine().prepare_rollback(everything_back(), patient).await,
            };
            let report = prepared.unwrap_or_else(|error| panic!("{when:?} {fatal}: {error:#?}")).execute().await;
            assert!(report.error.is_none(), "{when:?} {fatal}: {:#?}", report.error);
            assert_eq!(snapshot(&w).await, expected, "killed {when:?} message {fatal}");
        }
    }
}

async fn reference(rolled_back: bool) -> Vec<String> {
    let w = World::new().await;
    mixed(&w.project);
    assert_eq!(w.run_ok().await.len(), 6);
    if rolled_back {
        assert_eq!(w.rollback(RollbackTo::Version("0".parse().unwrap())).await.len(), 6);
    }
    snapshot(&w).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_killed_at_any_message_ends_in_the_same_schema_after_the_next_run() {
    let expected = reference(false).await;
    assert!(expected.iter().any(|line| line == "rows 1,2,3"), "{expected:#?}");
    assert!(expected.iter().any(|line| line.contains("t_y") && line.ends_with("valid true")), "{expected:#?}");
    at_every_message("run", false, &expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_killed_at_any_message_ends_in_the_same_schema_after_the_next_one() {
    let expected = reference(true).await;
    assert!(expected.is_empty(), "{expected:#?}");
    at_every_message("rollback", true, &expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_statement_of_a_killed_run_is_ended_before_the_next_one_reads_the_history() {
    let w = World::new().await;
    w.project.migration("alpha/1_slow", "CREATE TABLE alpha.slow ();\nSELECT pg_sleep(600);", "DROP TABLE alpha.slow;");
    let mut child = runner(&w, "run", &w.db.url()).spawn().unwrap();
    let sleeps =
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    until(&w.db, sleeps).await;
    child.kill().unwrap();
    child.wait().unwrap();
    // Its statement goes on without it, holding what it has made so far.
    assert_eq!(w.db.value(sleeps).await.as_deref(), Some("t"));
    w.project.migration("alpha/1_slow", "CREATE TABLE alpha.slow ();", "DROP TABLE alpha.slow;");
    assert_eq!(w.run_ok().await, ["alpha/1"]);
}
