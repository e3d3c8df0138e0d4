//! What a run begins with, in one round trip: the locks, what stands in the target, and whether its audit does.
//!
//! Step by step these are six, of a run over a thousand databases six thousand.

use postgres_link::{AdminConn, BatchError, BatchOutcome, Flight};

use super::lock::{KEY, WORKER_KEY};
use super::session::own_statement;
use super::store::{self, State};
use crate::audit;
use crate::catalogue::Catalogue;
use crate::error::EngineError;

/// What a run knows of its target before it plans.
#[derive(Default)]
pub(crate) struct Begun {
    pub state: State,
    /// Both locks are had, and the state was read under them.
    pub is_locked: bool,
    /// All that records was seen to be as it should, under the lock.
    pub audit_stands: bool,
}

/// Takes both locks on `conn`, which will work and hold them, and reads. They are left to be taken one by one where somebody has one
/// of them, a pooler stands between, or the target has no history yet.
pub(crate) async fn begin(conn: &AdminConn, catalogue: &Catalogue) -> Result<Begun, EngineError> {
    // A pooler may give each message another process, of which none shall keep a lock. `CASE` keeps the order.
    let own_process = format!("{} = pg_backend_pid()", conn.backend_pid());
    let locks = format!(
        "SELECT CASE WHEN {own_process} THEN CASE WHEN pg_try_advisory_lock({}, {}) THEN pg_try_advisory_lock({}, {}) END END",
        KEY.0, KEY.1, WORKER_KEY.0, WORKER_KEY.1
    );
    let ends_with_client =
        format!("SELECT set_config('client_connection_check_interval', '1s', false) WHERE {own_process}");
    let reads = store::read_sparing(catalogue);
    let asks_audit = audit::asks_whether_it_stands(conn);
    // The last one may be refused, see `lock::end_with_client`.
    let messages: Vec<&str> = [Some(locks.as_str()), Some(reads.as_str()), asks_audit, Some(ends_with_client.as_str())]
        .into_iter()
        .flatten()
        .collect();
    let own = |error| own_statement(&error, "taking the migration lock");
    let mut flight = conn.flight(&messages).map_err(own)?;
    let locked = answer(&mut flight).await.map_err(own)?;
    let read = answer(&mut flight).await;
    let stands = if asks_audit.is_some() { answer(&mut flight).await.ok() } else { None };
    let _ = answer(&mut flight).await;
    drop(flight);
    // What comes behind a reading that failed was refused with it.
    let is_locked = locked.value(0, 0) == Some("t") && read.is_ok();
    let audit_stands = is_locked && stands.is_some_and(|shown| audit::stands(conn, &shown));
    Ok(Begun { state: store::understand_sparing(conn, read).await?, is_locked, audit_stands })
}

/// The next answer; an empty one where those before it ended the flight.
async fn answer(flight: &mut Flight<'_>) -> Result<BatchOutcome, BatchError> {
    flight.next().await.unwrap_or_else(|| Ok(BatchOutcome::default()))
}
