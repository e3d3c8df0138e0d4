//! How well the database works: caches, conflicts, and the statements that take the time.

use migration_engine::ErrorCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::operations::{OperationError, Operations};

/// A target's figures since its statistics were last reset.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Performance {
    /// The whole database.
    pub activity: Activity,
    /// The tables that are read from end to end the most; at most 20.
    pub sequentially_read: Vec<TableActivity>,
    /// The statements that took the most time in all; at most 20. Absent where pg_stat_statements is.
    pub statements: Option<Vec<StatementFigures>>,
    /// How to have `statements`, where they are absent.
    pub how_to_enable_statements: Option<String>,
}

/// `pg_stat_database`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// Since when the figures count; absent: since the cluster was made.
    pub since: Option<String>,
    /// Of the blocks asked for, how many were in memory, from 0 to 1; absent before the first.
    pub cache_hit_ratio: Option<f64>,
    /// Transactions committed.
    pub commits: i64,
    /// Transactions rolled back.
    pub rollbacks: i64,
    /// Deadlocks that the server had to break.
    pub deadlocks: i64,
    /// Bytes that sorts and hashes wrote to disk.
    pub temporary_bytes: i64,
    /// Rows read by index or scan.
    pub rows_read: i64,
    /// Rows inserted, updated and deleted.
    pub rows_written: i64,
}

/// `pg_stat_user_tables`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TableActivity {
    /// The table with its schema.
    pub table: String,
    /// How often it was read from end to end.
    pub sequential_scans: i64,
    /// Rows read that way.
    pub rows_read: i64,
    /// How often an index was used.
    pub index_scans: i64,
    /// Live rows, estimated.
    pub live_rows: i64,
    /// Dead rows, estimated.
    pub dead_rows: i64,
}

/// `pg_stat_statements`; literals stand as `$n` there.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatementFigures {
    /// The statement.
    pub statement: String,
    /// How often it ran.
    pub calls: i64,
    /// In all, milliseconds.
    pub total_ms: f64,
    /// On average, milliseconds.
    pub mean_ms: f64,
    /// Rows returned or changed.
    pub rows: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    activity: Activity,
    sequentially_read: Vec<TableActivity>,
    loaded: bool,
    installed_in: Option<String>,
}

impl Operations {
    /// A target's figures.
    ///
    /// # Errors
    /// Unknown names, a database that is away.
    pub async fn database_performance(&self, environment: Option<&str>) -> Result<Performance, OperationError> {
        let inspection = self.inspect(environment).await?;
        let document: Document = inspection.document(include_str!("performance.sql"), &[]).await?;
        let (statements, how) = if document.installed_in.is_none() || !document.loaded {
            (None, Some(how_to_enable(document.loaded)))
        } else {
            match inspection.document(include_str!("statements.sql"), &[]).await {
                Ok(statements) => (Some(statements), None),
                // Installed into a schema that is not looked in, or not readable for this user.
                Err(error) if error.engine().is_some_and(|e| e.code != ErrorCode::DatabaseUnavailable) => (
                    None,
                    Some(format!("pg_stat_statements cannot be read: {error}; GRANT pg_read_all_stats to this user")),
                ),
                Err(error) => return Err(error),
            }
        };
        Ok(Performance {
            activity: document.activity,
            sequentially_read: document.sequentially_read,
            statements,
            how_to_enable_statements: how,
        })
    }
}

fn how_to_enable(loaded: bool) -> String {
    let load = "add pg_stat_statements to shared_preload_libraries in postgresql.conf, restart the server, then ";
    format!("{}CREATE EXTENSION pg_stat_statements in this database", if loaded { "" } else { load })
}
