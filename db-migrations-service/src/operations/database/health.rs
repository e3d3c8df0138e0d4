//! Does it answer, how fast, and is anything near its limit.

use std::time::Instant;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::DatabaseOrder;
use crate::operations::{Caller, OperationError, Operations, Spread};

/// Schemas, where the request does not say.
const USUAL: u32 = 100;
/// Half of what PostgreSQL can do before it stops taking writes.
const OLD_TRANSACTION_IDS: i64 = 1_000_000_000;

/// A target's database at a glance.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseHealth {
    /// `healthy`, or `degraded` when it takes no writes, or is near one of its limits.
    pub status: &'static str,
    /// Why it is degraded, a sentence each.
    pub problems: Vec<String>,
    /// What kind each of them is: `standby`, `read_only`, `connections` or `freeze`.
    pub problem_codes: Vec<&'static str>,
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
    /// How many transactions ago the oldest row was frozen; at two thousand million PostgreSQL takes no more writes.
    pub transaction_id_age: i64,
    /// Schema by schema, as far as the statistics know; at most 100 unless the request says.
    pub schemas: Vec<SchemaHealth>,
}

/// A schema at a glance.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchemaHealth {
    /// Its name.
    pub schema: String,
    /// How many tables it has.
    pub tables: i64,
    /// Live rows, estimated.
    pub live_rows: i64,
    /// Dead rows, estimated: what VACUUM has not cleared away yet.
    pub dead_rows: i64,
    /// Tables of which the planner knows nothing, since they were never analyzed.
    pub never_analyzed: i64,
    /// Indexes that an interrupted build left unusable, `<schema>.<name>`; at most 20.
    pub invalid_indexes: Vec<String>,
    /// Constraints that old rows were never checked against, `<table>.<name>`; at most 20.
    pub unvalidated_constraints: Vec<String>,
}

impl Facts {
    /// What keeps it from being healthy: of what kind, and in words.
    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.in_recovery {
            problems.push(("standby", "the server is a standby and takes no writes".to_owned()));
        } else if self.read_only {
            let words = "the database takes no writes: default_transaction_read_only is on";
            problems.push(("read_only", words.to_owned()));
        }
        if self.connections * 10 >= self.max_connections * 9 {
            let (open, most) = (self.connections, self.max_connections);
            let words = format!("{open} of {most} connections are taken: close some, or raise max_connections");
            problems.push(("connections", words));
        }
        if self.transaction_id_age >= OLD_TRANSACTION_IDS {
            let age = self.transaction_id_age;
            problems.push(("freeze", format!("{age} transactions since rows were last frozen: run VACUUM (FREEZE)")));
        }
        problems
    }
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
    /// Each database that the order is about, at a glance.
    ///
    /// # Errors
    /// Unknown names, databases that are all away.
    pub async fn database_health(
        &self,
        order: &DatabaseOrder,
        caller: &Caller,
    ) -> Result<Spread<DatabaseHealth>, OperationError> {
        self.each(order, caller, |order| async move { self.health_of(&order, caller).await }).await
    }

    async fn health_of(&self, order: &DatabaseOrder, caller: &Caller) -> Result<DatabaseHealth, OperationError> {
        let begun = Instant::now();
        let part = self.part(order, caller).await?;
        let facts: Facts = part.document(include_str!("health.sql"), USUAL).await?;
        let (problem_codes, problems): (Vec<_>, Vec<_>) = facts.problems().into_iter().unzip();
        Ok(DatabaseHealth {
            status: if problems.is_empty() { "healthy" } else { "degraded" },
            problems,
            problem_codes,
            server_version_num: part.inspection.server_version_num(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            database: "escuela".to_owned(),
            started_at: String::new(),
            in_recovery: false,
            read_only: false,
            connections: 89,
            max_connections: 100,
            longest_transaction_ms: None,
            transaction_id_age: 1_000,
            schemas: Vec::new(),
        }
    }

    #[test]
    fn each_limit_that_is_near_is_a_problem_with_its_cure() {
        assert!(facts().problems().is_empty());
        for (near, kind, words) in [
            (Facts { connections: 90, ..facts() }, "connections", "raise max_connections"),
            (Facts { read_only: true, ..facts() }, "read_only", "default_transaction_read_only"),
            (Facts { in_recovery: true, read_only: true, ..facts() }, "standby", "standby"),
            (Facts { transaction_id_age: 1_500_000_000, ..facts() }, "freeze", "VACUUM (FREEZE)"),
        ] {
            let [(code, problem)] = &near.problems()[..] else { panic!("{near:?}") };
            assert!(*code == kind && problem.contains(words), "{problem}");
            let spanish = include_str!("../../../dashboard/assets/i18n/codes.es.js");
            assert!(spanish.contains(&format!("\"health.{code}\"")), "the dashboard says {code} in Spanish");
        }
    }
}
