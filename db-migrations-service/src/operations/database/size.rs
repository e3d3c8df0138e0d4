//! How much room it takes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::DatabaseOrder;
use crate::operations::{Caller, OperationError, Operations, Spread};

/// Tables, where the request does not say.
const USUAL: u32 = 50;

/// A target's sizes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SizeView {
    /// The database's name.
    pub database: String,
    /// All of it, bytes.
    pub size_bytes: i64,
    /// By schema, the largest first.
    pub schemas: Vec<SchemaSize>,
    /// The largest tables; at most 50 unless the request says.
    pub tables: Vec<TableSize>,
}

/// A schema's size.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchemaSize {
    /// Its name.
    pub schema: String,
    /// Its tables with indexes and long values, bytes.
    pub size_bytes: i64,
}

/// A table's size.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TableSize {
    /// The table with its schema.
    pub table: String,
    /// All of it, bytes.
    pub size_bytes: i64,
    /// Of that its indexes, bytes.
    pub index_bytes: i64,
    /// How many rows the planner believes it has; -1 before the first ANALYZE.
    pub estimated_rows: i64,
}

impl Operations {
    /// The sizes of each database that the order is about.
    ///
    /// # Errors
    /// Unknown names, databases that are all away.
    pub async fn database_size(
        &self,
        order: &DatabaseOrder,
        caller: &Caller,
    ) -> Result<Spread<SizeView>, OperationError> {
        self.each(order, caller, |order| async move {
            self.part(&order, caller).await?.document(include_str!("size.sql"), USUAL).await
        })
        .await
    }
}
