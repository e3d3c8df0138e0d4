//! Rollbacks.

use std::time::Duration;

use migration_engine::Plan;
use migration_engine::request::{RollbackRequest, RollbackTo};
use tracing::Instrument as _;

use super::launch::{Beginning, Opening, Without};
use super::run::{scope, with_reason};
use super::{Caller, OperationError, Operations, RefusalCode, RunHandle, RunKind};

/// Take an environment back.
#[derive(Debug, Clone)]
pub struct RollbackOrder {
    /// Which environment; `None` is the default one.
    pub environment: Option<String>,
    /// Which service; `None` is all.
    pub service: Option<String>,
    /// How far.
    pub to: RollbackTo,
    /// Only show the statements.
    pub dry_run: bool,
    /// The environment's name once more, where it is protected.
    pub confirm: Option<String>,
    /// How long to wait for another runner; zero answers at once.
    pub wait_for_lock: Duration,
    /// Why it goes without the backup that the environment wants first; the reason is kept.
    pub no_backup: Option<String>,
}

impl RollbackOrder {
    fn request(&self) -> RollbackRequest {
        RollbackRequest { scope: scope(self.service.as_deref()), to: self.to.clone(), dry_run: self.dry_run }
    }

    /// The engine takes back what there is; whoever counts wrong should hear it before anything is gone.
    fn check_enough(&self, plan: &Plan) -> Result<(), OperationError> {
        let applied = plan.migrations.len();
        let RollbackTo::Steps(steps) = self.to else { return Ok(()) };
        if steps <= applied {
            return Ok(());
        }
        let whose = self.service.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
        let (there, cure) = match applied {
            0 => (format!("no migration{whose} is"), "there is nothing to roll back".to_owned()),
            1 => (format!("1 migration{whose} is"), "ask for 1 step".to_owned()),
            many => (format!("{many} migrations{whose} are"), format!("ask for 1 to {many} steps")),
        };
        let message = format!("the number of steps is {steps}, and {there} applied");
        Err(OperationError::refuse(RefusalCode::TooFewApplied, message).with_cure(cure))
    }
}

impl Operations {
    /// What a rollback would do, with its SQL and the backups of before; changes nothing.
    ///
    /// # Errors
    /// Unknown names, dependents, irreversible migrations, more steps than are applied.
    pub async fn plan_rollback(&self, order: &RollbackOrder, caller: &Caller) -> Result<Plan, OperationError> {
        caller.check(order.service.as_deref())?;
        self.known_service(order.service.as_deref())?;
        let mut plan = self.engine(order.environment.as_deref())?.plan_rollback(&order.request()).await?;
        order.check_enough(&plan)?;
        let environment = &self.environment(order.environment.as_deref())?.environment;
        plan.backups = self.offers(environment, &plan).await;
        Ok(plan)
    }

    /// Starts a rollback, as [`start_run`](Self::start_run) starts a run.
    ///
    /// # Errors
    /// As there and in [`plan_rollback`](Self::plan_rollback); and a protected environment without confirmation.
    pub async fn start_rollback(&self, order: RollbackOrder, caller: &Caller) -> Result<RunHandle, OperationError> {
        let (this, caller) = (self.clone(), caller.clone());
        super::runs::joined(tokio::spawn(
            async move { Box::pin(this.start_rollback_here(order, &caller)).await }.in_current_span(),
        ))
        .await
    }

    async fn start_rollback_here(&self, order: RollbackOrder, caller: &Caller) -> Result<RunHandle, OperationError> {
        caller.check(order.service.as_deref())?;
        self.known_service(order.service.as_deref())?;
        with_reason("backup", order.no_backup.as_deref())?;
        let entry = self.environment(order.environment.as_deref())?;
        let environment = entry.environment.clone();
        if entry.protected && !order.dry_run && order.confirm.as_deref() != Some(&environment) {
            let message = format!("the environment {environment:?} is protected, and a rollback can lose data");
            return Err(OperationError::refuse(RefusalCode::ConfirmationRequired, message).with_cure(format!(
                "look at it with dryRun first, then repeat the environment's name: \"confirm\": {environment:?}"
            )));
        }
        let (engine, engine_target) = (self.engine(Some(&environment))?, self.target(Some(&environment))?);
        let opening = Opening::new(self.monitor().run(&environment));
        let prepared = engine
            .prepare_rollback(order.request(), opening.context(caller, order.wait_for_lock))
            .instrument(opening.span())
            .await
            .map_err(|error| OperationError::from(error).on(engine_target))?;
        order.check_enough(prepared.plan())?;
        let beginning = Beginning {
            kind: RunKind::Rollback,
            environment,
            service: order.service,
            dry_run: order.dry_run,
            plan: None,
            cover: None,
        };
        let without = Without { backup: order.no_backup };
        Box::pin(self.launch_prepared(opening, beginning, prepared, without, caller)).await
    }
}
