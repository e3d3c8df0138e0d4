//! One runner per target, by an advisory lock that is polled on a session of its own.
//!
//! That session never has a transaction open: a runner that waits inside one would stop CREATE INDEX CONCURRENTLY of
//! the runner it waits for, and both would wait for ever. The lock ends with its session, so no crash leaves it behind.

use std::time::Duration;

use postgres_link::AdminConn;
use runtime::telemetry::redact_statement;
use tokio::time::Instant;

use super::session::own_statement;
use crate::error::{EngineError, ErrorCode};
use crate::event::Blocker;

/// The advisory lock that a run, a rollback or a seeding holds on its target: `0x50524f46` is "PROF", the second number stands
/// for migrations. Advisory locks count per database.
pub const KEY: (i32, i32) = (0x5052_4f46, 1);

/// The lock that the working session of a run holds beside the runner's own. It may outlast the runner's process; whoever has the
/// first one ends its holder.
pub const WORKER_KEY: (i32, i32) = (0x5052_4f46, 3);

/// How long a worker of a dead run may take to end once it was told to.
const EVICTION: Duration = Duration::from_secs(30);

/// How often a waiting runner looks again.
const POLL: Duration = Duration::from_millis(100);

/// Takes the lock on `conn`, which must be kept for it alone, waiting at most `patience`.
pub(crate) async fn acquire(conn: &AdminConn, patience: Duration) -> Result<(), EngineError> {
    let deadline = Instant::now() + patience;
    let attempt = format!("SELECT pg_try_advisory_lock({}, {})", KEY.0, KEY.1);
    conn.ensure_own_server().await.map_err(|e| EngineError::from(&e))?;
    loop {
        let outcome = conn.batch(&attempt).await.map_err(|e| own_statement(&e, "taking the migration lock"))?;
        if outcome.value(0, 0) == Some("t") {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(busy(holders(conn).await));
        }
        tokio::time::sleep(POLL.min(deadline.saturating_duration_since(Instant::now()))).await;
    }
}

/// Has the server end what `conn` is doing when its client is gone. Otherwise a statement whose runner died would hold the lock
/// until it ends. A server whose system cannot see that goes on without.
pub(crate) async fn end_with_client(conn: &AdminConn) {
    if let Err(error) = conn.batch("SET client_connection_check_interval = '1s'").await {
        tracing::debug!(%error, "the server does not see when a client is gone");
    }
}

/// Marks `conn` as the working session of the runner that holds the lock, and ends the one of a runner that no longer
/// does. A process that dies leaves its statement running at the server; before it has ended, the history cannot be
/// trusted to be complete. Must be called before the history is read.
pub(crate) async fn claim_work(conn: &AdminConn) -> Result<(), EngineError> {
    let deadline = Instant::now() + EVICTION;
    let attempt = format!("SELECT pg_try_advisory_lock({}, {})", WORKER_KEY.0, WORKER_KEY.1);
    conn.ensure_own_server().await.map_err(|e| EngineError::from(&e))?;
    let evict = format!("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE {}", held(WORKER_KEY));
    loop {
        let outcome = conn.batch(&attempt).await.map_err(|e| own_statement(&e, "claiming the work"))?;
        if outcome.value(0, 0) == Some("t") {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(busy(
                sessions(conn, &format!("a.pid IN (SELECT pid FROM pg_locks WHERE {})", held(WORKER_KEY))).await,
            )
            .cure("the statement of a run that died does not end; end its session, then run again"));
        }
        conn.batch(&evict).await.map_err(|e| own_statement(&e, "ending the session of a run that died"))?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A condition over `pg_locks`: holders of an advisory lock of this database.
fn held(key: (i32, i32)) -> String {
    format!(
        "locktype = 'advisory' AND granted AND classid = {} AND objid = {} \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        key.0, key.1
    )
}

fn busy(blockers: Vec<Blocker>) -> EngineError {
    let holder = blockers.first().map_or_else(
        || "another runner, which has just let go".to_owned(),
        |b| {
            let name = b.application.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| "a session".to_owned());
            let address = b.address.as_ref().map(|a| format!(" from {a}")).unwrap_or_default();
            format!("{name} (pid {}{address})", b.pid)
        },
    );
    let mut error = EngineError::new(ErrorCode::Busy, format!("the target's migration lock is held by {holder}"))
        .cure("wait for it to finish, or run with a waiting time");
    error.blockers = blockers;
    error
}

async fn holders(conn: &AdminConn) -> Vec<Blocker> {
    let condition = format!("a.pid IN (SELECT pid FROM pg_locks WHERE {})", held(KEY));
    sessions(conn, &condition).await
}

/// The sessions that `pid` waits for, directly.
pub(crate) async fn blockers_of(conn: &AdminConn, pid: i32) -> Vec<Blocker> {
    sessions(conn, &format!("a.pid = ANY (pg_blocking_pids({pid}))")).await
}

/// The clients that have waited for `pid` longer than `longest`, be it for a lock that it holds or behind one that it
/// waits for itself.
pub(crate) async fn victims_of(conn: &AdminConn, pid: i32, longest: Duration) -> Vec<Blocker> {
    let waiting = format!(
        "a.backend_type = 'client backend' AND {pid} = ANY (pg_blocking_pids(a.pid)) AND EXISTS (SELECT FROM pg_locks l \
         WHERE l.pid = a.pid AND NOT l.granted AND l.waitstart < clock_timestamp() - interval '{} milliseconds')",
        longest.as_millis()
    );
    sessions(conn, &waiting).await
}

/// Ends the autovacuum that `pid` waits for, as the server itself does for whoever has waited `deadlock_timeout`: a second,
/// and ours keep nobody waiting so long. It comes again within the minute. One that prevents wraparound is left alone.
/// Superusers may; on PostgreSQL 18 members of `pg_signal_autovacuum_worker` too, who see it as members of `pg_read_all_stats`. For
/// all others it stays in the way.
pub(crate) async fn dismiss_autovacuum(conn: &AdminConn, pid: i32) {
    let dismiss = format!(
        "SELECT pg_cancel_backend(a.pid) FROM pg_stat_activity a WHERE a.backend_type = 'autovacuum worker' \
         AND a.pid = ANY (pg_blocking_pids({pid})) AND a.query NOT LIKE '%(to prevent wraparound)'"
    );
    if let Err(error) = conn.batch(&dismiss).await {
        tracing::debug!(%error, "an autovacuum could not be asked to step aside");
    }
}

/// Who holds a lock on one of `relations` in a transaction older than `longest`, or dumps the database, or keeps it from
/// wrapping around: a lock that is not had soon.
pub(crate) async fn in_the_way(conn: &AdminConn, relations: &[String], longest: Duration) -> Vec<Blocker> {
    let oids: Vec<String> =
        relations.iter().map(|name| format!("to_regclass({})", super::quote::literal(name))).collect();
    let condition = format!(
        "a.pid <> pg_backend_pid() AND a.pid IN (SELECT l.pid FROM pg_locks l WHERE l.granted AND l.locktype = 'relation' \
         AND l.relation = ANY (ARRAY[{}]::oid[])) \
         AND (a.xact_start < clock_timestamp() - interval '{} milliseconds' OR a.application_name = 'pg_dump' \
              OR a.query LIKE 'autovacuum:%(to prevent wraparound)')",
        oids.join(","),
        longest.as_millis()
    );
    sessions(conn, &condition).await
}

/// Sessions for which `condition` over `pg_stat_activity a` holds. This is told to people beside another message, so
/// a failure to read it is no failure of the run.
async fn sessions(conn: &AdminConn, condition: &str) -> Vec<Blocker> {
    let query = format!(
        "SELECT a.pid, a.usename, a.application_name, host(a.client_addr), a.state, left(a.query, 200), \
         (extract(epoch FROM clock_timestamp() - a.xact_start) * 1000)::bigint FROM pg_stat_activity a WHERE {condition} ORDER BY a.pid"
    );
    let Ok(outcome) = conn.batch(&query).await else { return Vec::new() };
    outcome
        .rows()
        .filter_map(|row| {
            let text = |at: usize| row.get(at).cloned().flatten();
            Some(Blocker {
                pid: text(0)?.parse().ok()?,
                user: text(1),
                application: text(2),
                address: text(3),
                state: text(4),
                query: text(5).map(|query| redact_statement(&query)),
                transaction_ms: text(6).and_then(|ms| ms.parse().ok()),
            })
        })
        .collect()
}

/// What a runner calls itself: shown to whoever finds the lock held.
pub(crate) fn session_name(what: &str, actor: &str, run_id: uuid::Uuid) -> String {
    let short = short_run_id(run_id);
    let actor: String = actor.chars().filter(|c| !c.is_control()).take(24).collect();
    format!("profe {what} {short} by {actor}")
}

/// What the names of a run's sessions have of its id: `profe <what> <this> by <actor>`.
pub fn short_run_id(run_id: uuid::Uuid) -> String {
    let whole = run_id.simple().to_string();
    whole[whole.len() - 8..].to_owned()
}
