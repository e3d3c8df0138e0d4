//! What is to be seen of backups and findings at a glance: sums over the tables, no rows.

use postgres_link::tokio_postgres::Row;
use time::OffsetDateTime;

use super::{Master, MasterError};

/// The service that stands for a backup of a whole database.
pub const WHOLE_DATABASE: &str = "*";

/// Sums over the service's own tables.
#[derive(Debug, Clone, Default)]
pub struct MasterFigures {
    /// Backups, by environment and service.
    pub backups: Vec<BackupFigures>,
    /// What is open of what was found, by environment, kind and service.
    pub findings: Vec<FindingFigures>,
    /// When each environment was last looked at.
    pub looks: Vec<LookFigures>,
}

/// The backups of one service on one environment, deleted ones aside.
#[derive(Debug, Clone)]
pub struct BackupFigures {
    /// The environment.
    pub environment: String,
    /// The service; [`WHOLE_DATABASE`] for backups of all.
    pub service: String,
    /// How many were made.
    pub ready: i64,
    /// Whether the last attempt that is over made one.
    pub last_attempt_succeeded: Option<bool>,
    /// When the last one that was made was complete.
    pub last_made_at: Option<OffsetDateTime>,
    /// How long its making took, seconds.
    pub last_duration_s: Option<f64>,
    /// Its size in the storage, bytes.
    pub last_stored_bytes: Option<i64>,
    /// When one was last found to be whole.
    pub last_verified_at: Option<OffsetDateTime>,
    /// Whether the last verification found one to be whole.
    pub last_verification_held: Option<bool>,
    /// How long it took, milliseconds.
    pub last_verification_ms: Option<i64>,
}

/// Open findings.
#[derive(Debug, Clone)]
pub struct FindingFigures {
    /// The environment.
    pub environment: String,
    /// `drift` or `audit`.
    pub kind: String,
    /// Whose schema; `None` where it concerns the whole target.
    pub service: Option<String>,
    /// How many.
    pub open: i64,
}

/// A look.
#[derive(Debug, Clone)]
pub struct LookFigures {
    /// The environment.
    pub environment: String,
    /// When it was last looked at.
    pub looked_at: Option<OffsetDateTime>,
    /// That look could not see all.
    pub in_trouble: bool,
}

impl Master {
    /// Reads all of it, in three questions that are on their way together.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn figures(&self) -> Result<MasterFigures, MasterError> {
        let (backups, findings, looks) = tokio::join!(
            self.query(include_str!("figures.sql"), &[]),
            self.query(
                "SELECT environment, kind, service, count(*) FROM migration_service.watch_finding \
                 WHERE resolved_at IS NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
                &[],
            ),
            self.query(
                "SELECT environment, looked_at, trouble IS NOT NULL FROM migration_service.watch_look ORDER BY 1",
                &[],
            ),
        );
        let finding = |row: &Row| FindingFigures {
            environment: row.get(0),
            kind: row.get(1),
            service: row.get(2),
            open: row.get(3),
        };
        let look = |row: &Row| LookFigures { environment: row.get(0), looked_at: row.get(1), in_trouble: row.get(2) };
        Ok(MasterFigures {
            backups: backups?.iter().map(backup).collect(),
            findings: findings?.iter().map(finding).collect(),
            looks: looks?.iter().map(look).collect(),
        })
    }
}

fn backup(row: &Row) -> BackupFigures {
    BackupFigures {
        environment: row.get(0),
        service: row.get(1),
        ready: row.get(2),
        last_attempt_succeeded: row.get(3),
        last_made_at: row.get(4),
        last_duration_s: row.get(5),
        last_stored_bytes: row.get(6),
        last_verified_at: row.get(7),
        last_verification_held: row.get(8),
        last_verification_ms: row.get(9),
    }
}
