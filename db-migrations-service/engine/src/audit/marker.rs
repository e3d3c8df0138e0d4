//! How the event triggers recognise the engine's session.
//!
//! By a setting that only superusers may change: `backtrace_functions` names C functions whose errors leave a backtrace in the
//! server's log, and there is none of the name that stands in it. A migration's code runs as an owner role that is no superuser,
//! so it cannot set it; `RESET ALL` takes it away, and then more is recorded, not less.

use postgres_link::AdminConn;
use uuid::Uuid;

use super::{history, install};

/// Who tells the log what the session does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// The engine, except for what functions and bodies do.
    Engine,
    /// The event triggers, command by command.
    Triggers,
}

/// Makes `conn` the session of a run, installing the event triggers where they are not as they should be. Answers whether the
/// engine has to tell the log of its migrations. A log that cannot be had stops no run: why is kept, and told by `verify`.
pub(crate) async fn begin(conn: &AdminConn, run_id: Uuid) -> bool {
    let superuser = is_superuser(conn);
    if superuser && mark_if_healthy(conn, run_id).await {
        return true;
    }
    match install::install(conn, superuser, run_id).await {
        Ok(true) => mark_if_healthy(conn, run_id).await,
        Ok(false) => false,
        Err(error) => {
            tracing::warn!(%error, "the audit could not be installed");
            false
        }
    }
}

/// Marks a session; that of another user than a superuser stays as it is, and is recorded as anybody's.
pub(crate) async fn mark(conn: &AdminConn, run_id: Uuid, telling: Telling) {
    if !is_superuser(conn) {
        return;
    }
    if let Err(error) = conn.batch(&format!("SET backtrace_functions = '{}'", value(run_id, telling))).await {
        tracing::warn!(%error, "the session could not be marked as the service's own");
    }
}

async fn mark_if_healthy(conn: &AdminConn, run_id: Uuid) -> bool {
    let healthy =
        format!("NOT EXISTS (SELECT FROM ({}) health (name, code) WHERE code <> 'table_altered')", install::health());
    let marker = value(run_id, Telling::Engine);
    let query = format!(
        "BEGIN; SET LOCAL synchronous_commit = off; WITH run AS ({} RETURNING id) \
         SELECT set_config('backtrace_functions', '{marker}', false) FROM run; COMMIT",
        history::begun(run_id, &healthy),
    );
    if let Ok(outcome) = conn.batch(&query).await {
        return !outcome.statements[2].rows.is_empty();
    }
    // A lost session was rolled back by the server.
    let _ = conn.batch("ROLLBACK").await;
    false
}

/// What a superuser's session sets, name and value, so that the event triggers leave it to the caller to tell the log what the
/// session does. For work of the service that is no run of the engine's.
pub fn told_by_caller(id: Uuid) -> (&'static str, String) {
    ("backtrace_functions", value(id, Telling::Engine))
}

pub(super) fn is_superuser(conn: &AdminConn) -> bool {
    conn.parameter("is_superuser").as_deref() == Some("on")
}

pub(super) fn value(run_id: Uuid, telling: Telling) -> String {
    let suffix = if telling == Telling::Engine { "_told" } else { "" };
    format!("profe_{}{suffix}", run_id.simple())
}
