//! Where a target stands, as far as a look has to know: what was migrated, and whether somebody is at it.

use std::time::Duration;

use migration_engine::{EngineError, ErrorCode, RUN_LOCK};
use postgres_link::{ConnectErrorKind, sqlstate};

use crate::operations::OperationError;
use crate::targets::TargetEntry;

/// Two looks into small tables; more means that something holds them.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether the lock of the engine's runs is held.
fn run_under_way() -> String {
    format!(
        "SET statement_timeout = '15s'; SET lock_timeout = '2s'; SET default_transaction_read_only = on;
         SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = {} AND objid = {}
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
        RUN_LOCK.0, RUN_LOCK.1
    )
}

/// Moves with every run, rollback and adoption, and with every change of the catalogue that a run has brought about.
const HISTORY: &str = "SELECT concat_ws(' ', count(*), max(id), extract(epoch FROM max(rolled_back_at)),
  (SELECT md5(value) FROM migration_service.meta WHERE key = 'catalogue')), count(*) = 0,
  EXISTS (SELECT FROM migration_service.journal) FROM migration_service.history";

/// Where a target stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// A run, a rollback or a seeding holds its lock.
    pub(super) run_under_way: bool,
    /// A word for the state of the history; `None` where nothing was ever migrated.
    pub(super) history: Option<String>,
    /// A migration stopped between two of its statements.
    pub(super) is_interrupted: bool,
}

impl Standing {
    /// `None` where there is no database yet.
    pub(super) async fn read(entry: &TargetEntry) -> Result<Option<Self>, OperationError> {
        let Ok(target) = &entry.target else { return Ok(None) };
        let connect = target.connect.clone().with_application_name("profe watch");
        let read = async {
            let session = match postgres_link::connect(&connect).await {
                Err(error) if error.kind() == ConnectErrorKind::DatabaseMissing && target.create_database => {
                    return Ok(None);
                }
                other => other?,
            };
            let run_under_way = session.batch(&run_under_way()).await?.statements.last().is_some_and(|s| is(s, 0));
            let mut standing = Self { run_under_way, history: None, is_interrupted: false };
            match session.batch(HISTORY).await {
                Ok(outcome) => {
                    let Some(answer) = outcome.statements.last() else { return Ok(Some(standing)) };
                    let word = answer.rows.first().and_then(|row| row.first().cloned().flatten());
                    standing.history = word.filter(|_| !is(answer, 1));
                    standing.is_interrupted = is(answer, 2);
                }
                Err(error)
                    if matches!(error.sqlstate(), Some(sqlstate::UNDEFINED_TABLE | sqlstate::INVALID_SCHEMA_NAME)) => {}
                Err(error) => return Err(error.into()),
            }
            session.close().await;
            Ok(Some(standing))
        };
        tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| {
            Err(EngineError::new(ErrorCode::DatabaseUnavailable, "the database did not answer in time").into())
        })
    }
}

/// Whether the first row says yes there.
fn is(answer: &postgres_link::StatementOutcome, column: usize) -> bool {
    answer.rows.first().and_then(|row| row.get(column)).is_some_and(|cell| cell.as_deref() == Some("t"))
}
