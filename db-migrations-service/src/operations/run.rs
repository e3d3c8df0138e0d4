//! Plans and runs.

use std::time::Duration;

use migration_engine::proof::Override;
use migration_engine::request::{RunRequest, Scope};
use migration_engine::{MigrationId, Plan};
use tracing::Instrument as _;
use uuid::Uuid;

use super::launch::{Beginning, Opening, Ready, Without};
use super::takeover::KeptOrder;
use super::{Caller, OperationError, Operations, RefusalCode, RunHandle, RunKind};

/// Bring an environment forward.
#[derive(Debug, Clone, Default)]
pub struct RunOrder {
    /// Which environment; `None` is the default one.
    pub environment: Option<String>,
    /// Which service; `None` is all.
    pub service: Option<String>,
    /// Stop after this migration.
    pub to: Option<MigrationId>,
    /// Execute and roll back.
    pub dry_run: bool,
    /// How long to wait for another runner; zero answers at once.
    pub wait_for_lock: Duration,
    /// Gates that the run passes by although the environment requires them; each with its reason, which is kept.
    pub overrides: Vec<Override>,
    /// Why it goes without the backup that the environment wants first; the reason is kept.
    pub no_backup: Option<String>,
    /// Why it takes away what live releases still use; the reason is kept.
    pub despite_releases: Option<String>,
    /// Where it goes on with a run that was left behind.
    pub continuation: Option<Continuation>,
}

/// A run that goes on with another one.
#[derive(Debug, Clone, Copy)]
pub struct Continuation {
    /// Its own id, which the other one has been given already.
    pub id: Uuid,
    /// The other one.
    pub of: Uuid,
    /// How many were left behind with the same order, the other one included.
    pub times: u8,
}

pub(super) fn scope(service: Option<&str>) -> Scope {
    service.map_or(Scope::All, |name| Scope::Service(name.to_owned()))
}

/// Refuses a gate passed by without a reason.
fn reasoned(overrides: &[Override]) -> Result<(), OperationError> {
    overrides.iter().try_for_each(|passed_by| with_reason(passed_by.gate.as_str(), Some(&passed_by.reason)))
}

/// Refuses what is passed by without a reason.
pub(super) fn with_reason(gate: &str, reason: Option<&str>) -> Result<(), OperationError> {
    if reason.is_none_or(|reason| !reason.trim().is_empty()) {
        return Ok(());
    }
    Err(OperationError::refuse(RefusalCode::InvalidRequest, format!("passing by the gate {gate:?} needs a reason"))
        .with_cure("say why it may be passed by this time; the reason is kept with the run"))
}

impl Operations {
    /// What a run would do; takes no lock and changes nothing.
    ///
    /// # Errors
    /// Unknown names, and everything that the engine refuses beforehand.
    pub async fn plan(
        &self,
        environment: Option<&str>,
        service: Option<&str>,
        with_sql: bool,
        caller: &Caller,
    ) -> Result<Plan, OperationError> {
        caller.check(service)?;
        self.known_service(service)?;
        let home = self.home_name(environment, service)?;
        let mut plan = self.engine(Some(&home))?.plan(&scope(service), with_sql).await?;
        self.note_held(&home, &mut plan).await;
        Ok(plan)
    }

    /// Starts a run on an environment with one database, or of one service; else as [`start_runs`](Self::start_runs), of which
    /// this answers the first.
    ///
    /// # Errors
    /// As there.
    pub async fn start_run(&self, order: RunOrder, caller: &Caller) -> Result<RunHandle, OperationError> {
        super::runs::first(self.start_runs(order, caller).await?)
    }

    /// Starts a run on each database that the order is about. When this returns, their locks are held, the plans stand and the
    /// first run is under way (or over, when there was nothing to do); the others follow one after the other, as long as
    /// each ends well. They go on whether or not anybody listens.
    ///
    /// # Errors
    /// Unknown names, a busy target, edited files, cycles, a database that is away: nothing was changed.
    pub async fn start_runs(&self, order: RunOrder, caller: &Caller) -> Result<Vec<RunHandle>, OperationError> {
        // A task of its own: a listener who goes away in the middle must not leave a run half started.
        let (this, caller) = (self.clone(), caller.clone());
        super::runs::joined(tokio::spawn(
            async move { Box::pin(this.start_runs_here(order, &caller)).await }.in_current_span(),
        ))
        .await
    }

    async fn start_runs_here(&self, order: RunOrder, caller: &Caller) -> Result<Vec<RunHandle>, OperationError> {
        caller.check(order.service.as_deref())?;
        self.known_service(order.service.as_deref())?;
        reasoned(&order.overrides)?;
        with_reason("backup", order.no_backup.as_deref())?;
        with_reason("contract", order.despite_releases.as_deref())?;
        let owner = order.to.as_ref().and_then(|id| self.catalogue().owner_of(&id.schema)).map(|(name, _)| name);
        let about = order.service.as_deref().or(owner);
        let mut ready = Vec::new();
        for environment in self.databases_of(order.environment.as_deref(), about)? {
            match Box::pin(self.prepare_run(environment, &order, caller)).await {
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

    async fn prepare_run(
        &self,
        environment: String,
        order: &RunOrder,
        caller: &Caller,
    ) -> Result<Ready, OperationError> {
        let engine = self.engine(Some(&environment))?;
        let opening =
            Opening::new(order.continuation.map_or_else(Uuid::now_v7, |run| run.id), self.monitor().run(&environment));
        let request = RunRequest {
            scope: scope(order.service.as_deref()),
            to: order.to.clone(),
            dry_run: order.dry_run,
            overrides: order.overrides.clone(),
        };
        let prepared = engine
            .prepare_run(request, opening.context(caller, order.wait_for_lock))
            .instrument(opening.span())
            .await?;
        let beginning = Beginning {
            kind: RunKind::Run,
            order: KeptOrder::run(self, order, &environment, caller),
            continues: order.continuation.map(|run| run.of),
            environment,
            service: order.service.clone(),
            dry_run: order.dry_run,
            plan: None,
            cover: None,
        };
        Ok(Ready { opening, beginning, prepared })
    }
}
