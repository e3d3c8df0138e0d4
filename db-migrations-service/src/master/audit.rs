//! Where the chains of the targets' audits ended, time after time: what proves that a log was not rewritten as a whole.

use migration_engine::audit::AuditHead;
use postgres_link::tokio_postgres::types::Type;

use super::{Master, MasterError};

impl Master {
    /// Writes a head down. It replaces none, so that a log that was rewritten since does not get rid of the older ones.
    pub async fn keep_audit_head(&self, environment: &str, head: &AuditHead) -> Result<(), MasterError> {
        self.query(
            "INSERT INTO migration_service.audit_anchor (database, position, hash, environment) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING",
            &[
                (&head.database, Type::TEXT),
                (&head.position, Type::INT8),
                (&head.hash, Type::TEXT),
                (&environment, Type::TEXT),
            ],
        )
        .await
        .map(drop)
    }

    /// Every head that was written down of an environment, whatever database it had.
    pub async fn audit_heads(&self, environment: &str) -> Result<Vec<AuditHead>, MasterError> {
        let rows = self
            .query(
                "SELECT database, position, hash FROM migration_service.audit_anchor WHERE environment = $1",
                &[(&environment, Type::TEXT)],
            )
            .await?;
        let head = |row: &postgres_link::tokio_postgres::Row| AuditHead {
            database: row.get(0),
            position: row.get(1),
            hash: row.get(2),
        };
        Ok(rows.iter().map(head).collect())
    }
}
