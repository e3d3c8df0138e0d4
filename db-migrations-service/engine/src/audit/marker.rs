//! How the event triggers recognise the engine's session.
//!
//! By a setting that only superusers may change: `backtrace_functions` names C functions whose errors leave a backtrace in the
//! server's log, and there is none of the name that stands in it. A migration's code runs as an owner role that is no superuser,
//! so it cannot set it; `RESET ALL` takes it away, and then more is recorded, not less.

use postgres_link::{AdminConn, BatchOutcome, Flight};
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

/// The question to which [`stands`] is given the answer, for a session that may ask it.
pub(crate) fn asks_whether_it_stands(conn: &AdminConn) -> Option<&'static str> {
    is_superuser(conn).then_some(install::SHOWN)
}

/// Whether [`begin`] would find all that records. It does not say so where the function belongs to another superuser than the session's.
pub(crate) fn stands(conn: &AdminConn, shown: &BatchOutcome) -> bool {
    conn.parameter("session_authorization").is_some_and(|user| install::is_shown(shown, &user))
}

/// What a run says of itself and its session's mark, on their way: whatever is sent after it is already the marked session's.
pub(crate) struct Opening<'a>(Option<Flight<'a>>);

/// The same as [`begin`] where all that records was seen to stand, without waiting for the answer.
pub(crate) fn open(conn: &AdminConn, run_id: Uuid) -> Opening<'_> {
    // One message is one transaction: the mark is set with the row, or neither is.
    let message = format!(
        "SET LOCAL synchronous_commit = off;{};SET backtrace_functions = '{}'",
        history::begun(run_id, "true"),
        value(run_id, Telling::Engine)
    );
    // A session that takes no message any more is found by the next one.
    Opening(conn.flight(&[&message]).ok())
}

impl Opening<'_> {
    /// Waits for the answer. Where it failed the session has no mark, and the event triggers record what it does.
    pub(crate) async fn heard(self) {
        if let Some(mut flight) = self.0
            && let Some(Err(error)) = flight.next().await
        {
            tracing::warn!(%error, "a run could not tell the audit of itself; it is recorded command by command");
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
    let marker = value(run_id, Telling::Engine);
    let query = format!(
        "BEGIN; SET LOCAL synchronous_commit = off; WITH run AS ({} RETURNING id) \
         SELECT set_config('backtrace_functions', '{marker}', false) FROM run; COMMIT",
        history::begun(run_id, &install::stands()),
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

/// What stands on both sides of a statement that the run passes through a door: it quotes it, and no author of a migration knows a
/// run's number beforehand.
pub(crate) fn mark_of(run_id: Uuid) -> String {
    format!("$profe_{}$", run_id.simple())
}

pub(super) fn value(run_id: Uuid, telling: Telling) -> String {
    let suffix = if telling == Telling::Engine { "_told" } else { "" };
    format!("profe_{}{suffix}", run_id.simple())
}
