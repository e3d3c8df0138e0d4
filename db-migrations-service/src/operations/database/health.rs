//! Does it answer, how fast, and is anything near its limit.

use std::time::Instant;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::operations::{OperationError, Operations};

/// A target's database at a glance.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseHealth {
    /// On which environment.
    pub environment: String,
    /// `healthy`, or `degraded` when it takes no writes or is short of connections.
    pub status: &'static str,
    /// The server's version, as `server_version_num`.
    pub server_version_num: u32,
    /// Opening a session and asking took so long, milliseconds.
    pub latency_ms: u64,
    /// What the server says of itself.
    #[serde(flatten)]
    pub facts: Facts,
}

/// What the server says of itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// The database's name.
    pub database: String,
    /// When the server was started.
    pub started_at: String,
    /// It is a standby.
    pub in_recovery: bool,
    /// It takes no writes.
    pub read_only: bool,
    /// Sessions of all databases now.
    pub connections: i64,
    /// How many the server allows.
    pub max_connections: i64,
    /// Open since, of the longest transaction, milliseconds.
    pub longest_transaction_ms: Option<i64>,
}

/// Whether one environment's database answers.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetHealth {
    /// Its name in the catalogue.
    pub environment: String,
    /// Whether it is the one meant when a request names none.
    pub default: bool,
    /// Its database; absent when there is none.
    pub database: Option<String>,
    /// It answers.
    pub reachable: bool,
    /// It does not exist yet and is created by the first run.
    pub to_be_created: bool,
    /// The server's version, as `server_version_num`.
    pub server_version_num: Option<u32>,
    /// Opening a session took so long, milliseconds.
    pub latency_ms: Option<u64>,
    /// Why it does not answer.
    pub problem: Option<String>,
}

impl Operations {
    /// One environment's database at a glance.
    ///
    /// # Errors
    /// Unknown names, a database that is away.
    pub async fn database_health(&self, environment: Option<&str>) -> Result<DatabaseHealth, OperationError> {
        let begun = Instant::now();
        let inspection = self.inspect(environment).await?;
        let facts: Facts = inspection.document(include_str!("health.sql"), &[]).await?;
        let short = facts.connections * 10 >= facts.max_connections * 9;
        Ok(DatabaseHealth {
            environment: self.environment(environment)?.environment.clone(),
            status: if short || facts.read_only || facts.in_recovery { "degraded" } else { "healthy" },
            server_version_num: inspection.server_version_num(),
            latency_ms: begun.elapsed().as_millis() as u64,
            facts,
        })
    }

    /// Whether every environment's database answers, asked side by side.
    pub async fn targets_health(&self) -> Vec<TargetHealth> {
        join_all(self.targets().all().iter().map(async |entry| {
            let mut health = TargetHealth {
                environment: entry.environment.clone(),
                default: entry.environment == self.targets().default_environment(),
                database: None,
                reachable: false,
                to_be_created: false,
                server_version_num: None,
                latency_ms: None,
                problem: None,
            };
            match &entry.target {
                Err(reason) => health.problem = Some(reason.clone()),
                Ok(target) => {
                    health.database = Some(target.connect.database().to_owned());
                    let begun = Instant::now();
                    match postgres_link::connect(&target.connect).await {
                        Ok(session) => {
                            health.reachable = true;
                            health.server_version_num = Some(session.server_version_num());
                            health.latency_ms = Some(begun.elapsed().as_millis() as u64);
                        }
                        Err(error) => {
                            let missing = error.kind() == postgres_link::ConnectErrorKind::DatabaseMissing;
                            health.to_be_created = missing && target.create_database;
                            health.problem = (!health.to_be_created).then(|| error.to_string());
                        }
                    }
                }
            }
            health
        }))
        .await
    }
}
