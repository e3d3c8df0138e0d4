//! The live schemas of an environment against what their histories make, database by database.

use migration_engine::proof::drift::DriftReport;
use tokio_util::sync::CancellationToken;

use super::{Caller, OperationError, Operations, Spread};

impl Operations {
    /// Holds each database of an environment, or the one that a service lives in, against its history.
    ///
    /// # Errors
    /// As [`drift`](Self::drift), where none of them can be compared.
    pub async fn drifts(
        &self,
        environment: Option<&str>,
        service: Option<&str>,
        caller: &Caller,
        shutdown: &CancellationToken,
    ) -> Result<Spread<DriftReport>, OperationError> {
        caller.check(service)?;
        self.known_service(service)?;
        let databases = self.databases_of(environment, service)?;
        let one = |name| self.drift(Some(name), service, caller, shutdown.child_token());
        let asked = databases.iter().map(|name| one(name.as_str())).collect();
        self.spread(&databases, asked).await
    }
}
