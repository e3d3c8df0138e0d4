//! What copies of the service do about each other's runs: stop them, and go on with those that nobody carries on.

use postgres_link::tokio_postgres::types::Type;
use serde_json::Value;
use uuid::Uuid;

use super::{Master, MasterError};

/// A run whose process died or handed it over.
#[derive(Debug, Clone)]
pub struct LeftRun {
    /// Its id.
    pub id: Uuid,
    /// What was asked for.
    pub order: Value,
    /// The request that asked for it.
    pub request_id: Option<String>,
}

impl Master {
    /// Asks the process that does this run, wherever it is, to stop it; `false` where it is over.
    ///
    /// # Errors
    /// The master database does not answer.
    pub async fn ask_to_cancel(&self, run: Uuid) -> Result<bool, MasterError> {
        let sql =
            "UPDATE migration_service.run SET cancel_asked = true WHERE id = $1 AND state = 'running' RETURNING id";
        Ok(!self.query(sql, &[(&run, Type::UUID)]).await?.is_empty())
    }

    /// Whether somebody has asked for this run to be stopped.
    ///
    /// # Errors
    /// The master database does not answer.
    pub async fn is_asked_to_cancel(&self, run: Uuid) -> Result<bool, MasterError> {
        let sql = "SELECT FROM migration_service.run WHERE id = $1 AND cancel_asked";
        Ok(!self.query(sql, &[(&run, Type::UUID)]).await?.is_empty())
    }

    /// Takes up one run that was left behind in the last quarter of an hour, for the run `new` to go on with; each is had by one
    /// copy. `None` where there is none.
    ///
    /// # Errors
    /// The master database does not answer.
    pub async fn take_left_run(&self, new: Uuid) -> Result<Option<LeftRun>, MasterError> {
        let rows = self
            .query(
                "UPDATE migration_service.run SET continued_by = $1, taken_at = now() WHERE id = ( \
                   SELECT id FROM migration_service.run r \
                   WHERE state = 'interrupted' AND run_order IS NOT NULL AND finished_at > now() - interval '15 minutes' \
                     AND (continued_by IS NULL OR (taken_at < now() - interval '1 minute' \
                       AND NOT EXISTS (SELECT FROM migration_service.run n WHERE n.id = r.continued_by))) \
                   ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) \
                 RETURNING id, run_order, request_id",
                &[(&new, Type::UUID)],
            )
            .await?;
        Ok(rows.first().map(|row| LeftRun { id: row.get(0), order: row.get(1), request_id: row.get(2) }))
    }
}
