//! Who is connected, and who waits for whom.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

use super::DatabaseOrder;
use crate::operations::{Caller, OperationError, Operations, Spread};

/// Transactions, where the request does not say.
const USUAL: u32 = 50;

/// A target's sessions.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionsView {
    /// Sessions of clients, all databases of the server.
    pub total: i64,
    /// How many the server allows.
    pub max_connections: i64,
    /// Of those, how many are kept for superusers.
    pub reserved: i64,
    /// This database's sessions by state.
    pub by_state: BTreeMap<String, i64>,
    /// This database's sessions by what they call themselves.
    pub by_application: BTreeMap<String, i64>,
    /// Sessions of this database that have a transaction open, the oldest first; at most 50 unless the request says. Where it
    /// names a service or a schema, those that hold or wait for a lock on something in it. What they run is not shown:
    /// statements can hold personal data.
    pub transactions: Vec<Session>,
}

/// A session with an open transaction.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its process at the server.
    pub pid: i32,
    /// The role that it is signed in as.
    pub user: Option<String>,
    /// What it calls itself.
    pub application: Option<String>,
    /// `active`, `idle in transaction` …
    pub state: Option<String>,
    /// What it waits for, `<type>/<event>`.
    pub waits_for: Option<String>,
    /// The sessions that hold what it waits for.
    pub blocked_by: Vec<i32>,
    /// How long its transaction has been open, milliseconds.
    pub transaction_ms: Option<i64>,
}

impl Operations {
    /// The sessions of each database that the order is about.
    ///
    /// # Errors
    /// Unknown names, databases that are all away.
    pub async fn database_connections(
        &self,
        order: &DatabaseOrder,
        caller: &Caller,
    ) -> Result<Spread<ConnectionsView>, OperationError> {
        self.each(order, caller, |order| async move {
            self.part(&order, caller).await?.document(include_str!("connections.sql"), USUAL).await
        })
        .await
    }
}
