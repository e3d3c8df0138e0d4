//! A session for looking at a target's catalogs and statistics. It reads, and cannot write.

use migration_engine::{EngineError, ErrorCode};
use postgres_link::AdminConn;
use postgres_link::quote::identifier;
use postgres_link::tokio_postgres::types::{ToSql, Type};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

use super::{OperationError, Operations};

/// Statistics of a large database take a second or two; more means that something holds the catalogs.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open session on a target.
pub(super) struct Inspection(AdminConn);

impl Operations {
    /// Opens a read-only session on an environment's database.
    pub(super) async fn inspect(&self, environment: Option<&str>) -> Result<Inspection, OperationError> {
        let target = self.target(environment)?;
        let connect = target.connect.clone().with_application_name("profe inspect");
        let session = postgres_link::connect(&connect).await.map_err(|error| OperationError::from(error).on(target))?;
        // A look that waits behind a migration's lock counts as somebody whom the migration keeps waiting.
        session
            .batch("SET default_transaction_read_only = on; SET statement_timeout = '15s'; SET lock_timeout = '500ms'")
            .await?;
        Ok(Inspection(session))
    }
}

impl Inspection {
    /// Finds names without a schema in this one, after the catalog.
    pub(super) async fn look_in(&self, schema: &str) -> Result<(), OperationError> {
        self.0.batch(&format!("SET search_path = pg_catalog, {}", identifier(schema))).await?;
        Ok(())
    }

    /// Runs a query whose one row has one JSON document, and reads it.
    pub(super) async fn document<T: DeserializeOwned>(
        &self,
        sql: &'static str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<T, OperationError> {
        let rows = tokio::time::timeout(PATIENCE, self.0.client().query_typed(sql, params))
            .await
            .map_err(|_| EngineError::new(ErrorCode::DatabaseUnavailable, "the database did not answer in time"))??;
        let value: Value = rows.first().map(|row| row.get(0)).unwrap_or_default();
        serde_json::from_value(value).map_err(|error| {
            EngineError::new(ErrorCode::Internal, format!("the catalog gave an unexpected document: {error}")).into()
        })
    }

    /// Runs a query of the catalogue's author, and answers its rows as text.
    pub(super) async fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, OperationError> {
        let outcome = tokio::time::timeout(PATIENCE, self.0.batch(sql))
            .await
            .map_err(|_| EngineError::new(ErrorCode::DatabaseUnavailable, "the database did not answer in time"))??;
        Ok(outcome.rows().map(<[_]>::to_vec).collect())
    }

    /// The server's version, as `server_version_num`.
    pub(super) fn server_version_num(&self) -> u32 {
        self.0.server_version_num()
    }
}
