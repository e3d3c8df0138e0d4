//! What holds the contract of a change back: somebody who still needs the shape that it takes away.
//!
//! The engine knows what a contract is, and asks before it takes one; who needs what is known to whoever calls it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::EngineError;
use crate::migration::MigrationId;
use crate::plan::{Plan, PlannedMigration};
use crate::project::{Migration, Project, Script};
use crate::run::execute::PreparedRun;
use crate::target::store::Direction;

/// The answer, when it comes.
type Answer = Pin<Box<dyn Future<Output = Result<(), EngineError>> + Send>>;

/// A migration that takes an old shape away: `-- contract-of: <schema>/<version>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Which.
    pub migration: MigrationId,
    /// The migration that brought the new shape. Whoever needs no version of its schema that is so new uses the old one.
    pub of: MigrationId,
}

/// Says whether contracts may be taken now.
#[derive(Clone)]
pub struct Hold(Arc<dyn Fn(Vec<Contract>) -> Answer + Send + Sync>);

impl Hold {
    /// Asks `ask` before each contract. Its error ends the run before the contract, with nothing of it done, so it says who
    /// needs what and what to do; its code is [`ContractHeld`](crate::ErrorCode::ContractHeld).
    pub fn new<F, A>(ask: F) -> Self
    where
        F: Fn(Vec<Contract>) -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), EngineError>> + Send + 'static,
    {
        Self(Arc::new(move |contracts| Box::pin(ask(contracts))))
    }

    /// Nobody holds anything.
    pub fn none() -> Self {
        Self::new(|_| async { Ok(()) })
    }

    /// Whether these may be taken now.
    ///
    /// # Errors
    /// Somebody still needs what they take away, or it cannot be known.
    pub async fn ask(&self, contracts: Vec<Contract>) -> Result<(), EngineError> {
        if contracts.is_empty() { Ok(()) } else { (self.0)(contracts).await }
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold")
    }
}

impl PlannedMigration {
    /// What it takes away; of one with a backfill nothing, since that is asked when its contract part is reached.
    pub fn contracts(&self) -> Vec<Contract> {
        if self.fills.is_empty() { self.taken_away() } else { Vec::new() }
    }

    /// What the contract part of one with a backfill takes away: without a header, what its own expand part replaced.
    fn contract_part(&self) -> Vec<Contract> {
        let own = Contract { migration: self.migration.clone(), of: self.migration.clone() };
        if self.contract_of.is_empty() { vec![own] } else { self.taken_away() }
    }

    fn taken_away(&self) -> Vec<Contract> {
        let of = |of: &MigrationId| Contract { migration: self.migration.clone(), of: of.clone() };
        self.contract_of.iter().map(of).collect()
    }
}

impl Plan {
    /// What a rollback takes away: what each of its migrations has brought.
    pub fn takes_back(&self) -> Vec<Contract> {
        let ids = self.migrations.iter().map(|planned| &planned.migration);
        ids.map(|id| Contract { migration: id.clone(), of: id.clone() }).collect()
    }
}

impl PreparedRun {
    /// Asks this before each contract of the run, or before the first migration of a rollback. Where somebody decided to take them whatever it says, `despite` is why,
    /// and is kept in the target.
    pub fn hold_contracts_by(&mut self, hold: Hold, despite: Option<String>) {
        self.contract_hold = hold;
        self.despite_hold = despite;
    }

    /// Whether the contract part of the planned migration may be taken now.
    pub(crate) async fn may_contract_part(&self, planned: &PlannedMigration) -> Result<(), EngineError> {
        if self.despite_hold.is_some() { Ok(()) } else { self.contract_hold.ask(planned.contract_part()).await }
    }

    /// Whether the planned migration may be taken now, if it is a contract.
    pub(crate) async fn may_contract(&self, planned: &PlannedMigration) -> Result<(), EngineError> {
        if self.despite_hold.is_some() { Ok(()) } else { self.contract_hold.ask(planned.contracts()).await }
    }

    /// Whether a rollback may take back what it is about, now that its turn has come.
    pub(crate) async fn may_take_back(&self) -> Result<(), EngineError> {
        if self.direction == Direction::Up || self.despite_hold.is_some() {
            return Ok(());
        }
        self.contract_hold.ask(self.plan.takes_back()).await
    }
}

/// What a migration of the project takes away once it is applied.
///
/// # Errors
/// A file that cannot be read.
pub fn contracts_of(project: &Project, migration: &Migration) -> Result<Vec<Contract>, EngineError> {
    let sql = project.up_sql(migration)?;
    // Few do, and reading one takes the parser.
    if !sql.contains("contract") {
        return Ok(Vec::new());
    }
    let script = Script::parse(&migration.up, sql, &migration.id.schema)?;
    let of = |of: &MigrationId| Contract { migration: migration.id.clone(), of: of.clone() };
    let declared = &script.directives.contract_of;
    let has_part = script.parts.as_ref().is_some_and(|parts| !parts.last.is_empty());
    Ok(if declared.is_empty() && has_part { vec![of(&migration.id)] } else { declared.iter().map(of).collect() })
}
