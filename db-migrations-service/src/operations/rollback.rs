//! Rollbacks.

use std::time::Duration;

use migration_engine::Plan;
use migration_engine::request::{RollbackRequest, RollbackTo};
use tracing::Instrument as _;
use uuid::Uuid;

use super::launch::{Beginning, Opening, Ready, Without};
use super::run::{Continuation, scope, with_reason};
use super::takeover::KeptOrder;
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
    /// Why it takes back what live releases need; the reason is kept.
    pub despite_releases: Option<String>,
    /// Where it goes on with a rollback that was left behind.
    pub continuation: Option<Continuation>,
}

impl RollbackOrder {
    fn request(&self, to: RollbackTo) -> RollbackRequest {
        RollbackRequest { scope: scope(self.service.as_deref()), to, dry_run: self.dry_run }
    }

    /// The engine takes back what there is; whoever counts wrong should hear it before anything is gone.
    fn check_enough(&self, applied: usize) -> Result<(), OperationError> {
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

impl RollbackOrder {
    fn check_enough_of(&self, to: &RollbackTo, plan: &Plan) -> Result<(), OperationError> {
        match (to, &self.to) {
            (RollbackTo::Steps(wanted), RollbackTo::Steps(all)) if wanted == all => {
                self.check_enough(plan.migrations.len())
            }
            _ => Ok(()),
        }
    }
}

impl Operations {
    /// What a rollback would do in each database that the order is about, in the order in which they come, with its SQL and the
    /// backups of before; changes nothing.
    ///
    /// # Errors
    /// Unknown names, dependents, irreversible migrations, more steps than are applied.
    pub async fn plan_rollbacks(
        &self,
        order: &RollbackOrder,
        caller: &Caller,
    ) -> Result<Vec<(String, Plan)>, OperationError> {
        let mut plans = Vec::new();
        for (environment, to) in self.parts_of_rollback(order, caller).await?.into_iter().rev() {
            let mut plan = self.engine(Some(&environment))?.plan_rollback(&order.request(to.clone())).await?;
            order.check_enough_of(&to, &plan)?;
            plan.backups = self.offers(&environment, &plan).await;
            self.note_needed(&environment, &mut plan).await;
            plans.push((environment, plan));
        }
        Ok(plans)
    }

    /// Starts a rollback, as [`start_run`](Self::start_run) starts a run.
    ///
    /// # Errors
    /// As there and in [`plan_rollbacks`](Self::plan_rollbacks); a protected environment without confirmation; and a live release
    /// that needs what would be taken back.
    pub async fn start_rollback(&self, order: RollbackOrder, caller: &Caller) -> Result<RunHandle, OperationError> {
        super::runs::first(self.start_rollbacks(order, caller).await?)
    }

    /// Starts a rollback in each database that the order is about, as [`start_runs`](Self::start_runs) does runs.
    ///
    /// # Errors
    /// As [`start_rollback`](Self::start_rollback).
    pub async fn start_rollbacks(
        &self,
        order: RollbackOrder,
        caller: &Caller,
    ) -> Result<Vec<RunHandle>, OperationError> {
        let (this, caller) = (self.clone(), caller.clone());
        super::runs::joined(tokio::spawn(
            async move { Box::pin(this.start_rollbacks_here(order, &caller)).await }.in_current_span(),
        ))
        .await
    }

    async fn start_rollbacks_here(
        &self,
        order: RollbackOrder,
        caller: &Caller,
    ) -> Result<Vec<RunHandle>, OperationError> {
        with_reason("backup", order.no_backup.as_deref())?;
        with_reason("contract", order.despite_releases.as_deref())?;
        let parts = self.parts_of_rollback(&order, caller).await?;
        for (environment, _) in &parts {
            self.confirmed(environment, &order)?;
        }
        let mut ready = Vec::new();
        for (environment, to) in parts {
            match Box::pin(self.prepare_rollback(environment, to, &order, caller)).await {
                Ok(one) => ready.push(one),
                Err(error) => {
                    Ready::let_go(ready).await;
                    return Err(error);
                }
            }
        }
        let without = Without { backup: order.no_backup, releases: order.despite_releases };
        Box::pin(self.launch_in_turn(ready, without, caller)).await
    }

    /// Refuses where the environment is protected and its name is not repeated.
    fn confirmed(&self, environment: &str, order: &RollbackOrder) -> Result<(), OperationError> {
        let whole = self.catalogue().whole_of(environment);
        let repeated = order.confirm.as_deref().is_some_and(|name| name == environment || name == whole);
        if !self.environment(Some(environment))?.protected || order.dry_run || repeated {
            return Ok(());
        }
        let message = format!("the environment {whole:?} is protected, and a rollback can lose data");
        Err(OperationError::refuse(RefusalCode::ConfirmationRequired, message).with_cure(format!(
            "look at it with dryRun first, then repeat the environment's name: \"confirm\": {whole:?}"
        )))
    }

    async fn prepare_rollback(
        &self,
        environment: String,
        to: RollbackTo,
        order: &RollbackOrder,
        caller: &Caller,
    ) -> Result<Ready, OperationError> {
        let (engine, engine_target) = (self.engine(Some(&environment))?, self.target(Some(&environment))?);
        let id = order.continuation.map_or_else(Uuid::now_v7, |run| run.id);
        let opening = Opening::new(id, self.monitor().run(&environment));
        // It is asked next, and connecting takes as long as what the engine does meanwhile.
        let master = self.master().clone();
        tokio::spawn(async move { master.ping().await });
        let prepared = engine
            .prepare_rollback(order.request(to.clone()), opening.context(caller, order.wait_for_lock))
            .instrument(opening.span())
            .await
            .map_err(|error| OperationError::from(error).on(engine_target))?;
        order.check_enough_of(&to, prepared.plan())?;
        let beginning = Beginning {
            kind: RunKind::Rollback,
            order: KeptOrder::rollback(self, order, (&environment, prepared.rows()), caller),
            continues: order.continuation.map(|run| run.of),
            environment,
            service: order.service.clone(),
            dry_run: order.dry_run,
            plan: None,
            cover: None,
        };
        Ok(Ready { opening, beginning, prepared })
    }

    /// How far to go back in which databases, in the catalogue's order.
    async fn parts_of_rollback(
        &self,
        order: &RollbackOrder,
        caller: &Caller,
    ) -> Result<Vec<(String, RollbackTo)>, OperationError> {
        caller.check(order.service.as_deref())?;
        self.known_service(order.service.as_deref())?;
        let of_one = match &order.to {
            RollbackTo::Migration(id) => self.catalogue().owner_of(&id.schema).map(|(name, _)| name),
            _ => None,
        };
        let databases = self.databases_of(order.environment.as_deref(), order.service.as_deref().or(of_one))?;
        match &order.to {
            RollbackTo::Steps(steps) if databases.len() > 1 => self.share_out(databases, *steps, order).await,
            RollbackTo::Version(version) if databases.len() > 1 && version.get() != 0 => {
                let message = format!("the version {version} is of one service's schemas, and no service is named");
                Err(OperationError::refuse(RefusalCode::InvalidRequest, message).with_cure("name the service"))
            }
            to => Ok(databases.into_iter().map(|name| (name, to.clone())).collect()),
        }
    }

    /// The newest so many migrations of all databases together, as so many of each.
    async fn share_out(
        &self,
        databases: Vec<String>,
        steps: usize,
        order: &RollbackOrder,
    ) -> Result<Vec<(String, RollbackTo)>, OperationError> {
        let mut applied = Vec::new();
        for (at, name) in databases.iter().enumerate() {
            let status = self.engine(Some(name))?.status().await?;
            let times = status.services.iter().flat_map(|service| &service.migrations).filter_map(|m| m.applied_at);
            applied.extend(times.map(|time| (time, at)));
        }
        order.check_enough(applied.len())?;
        applied.sort_by(|one, other| other.cmp(one));
        let of = |at: usize| applied.iter().take(steps).filter(|(_, other)| *other == at).count();
        let parts = databases.into_iter().enumerate().map(|(at, name)| (name, RollbackTo::Steps(of(at))));
        Ok(parts.filter(|(_, to)| *to != RollbackTo::Steps(0)).collect())
    }
}
