//! Plans and runs.

use std::time::Duration;

use migration_engine::proof::Override;
use migration_engine::request::{RunRequest, Scope};
use migration_engine::{MigrationId, Plan};
use tracing::Instrument as _;

use super::launch::{Beginning, Opening, Without};
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
        Ok(self.engine(environment)?.plan(&scope(service), with_sql).await?)
    }

    /// Starts a run. When this returns, the target's lock is held, the plan stands and the run is under way (or over,
    /// when there was nothing to do); it goes on whether or not anybody listens.
    ///
    /// # Errors
    /// Unknown names, a busy target, edited files, cycles, a database that is away: nothing was changed.
    pub async fn start_run(&self, order: RunOrder, caller: &Caller) -> Result<RunHandle, OperationError> {
        // A task of its own: a listener who goes away in the middle must not leave a run half started.
        let (this, caller) = (self.clone(), caller.clone());
        super::runs::joined(tokio::spawn(
            async move { Box::pin(this.start_run_here(order, &caller)).await }.in_current_span(),
        ))
        .await
    }

    async fn start_run_here(&self, order: RunOrder, caller: &Caller) -> Result<RunHandle, OperationError> {
        caller.check(order.service.as_deref())?;
        self.known_service(order.service.as_deref())?;
        reasoned(&order.overrides)?;
        with_reason("backup", order.no_backup.as_deref())?;
        let environment = self.environment(order.environment.as_deref())?.environment.clone();
        let engine = self.engine(Some(&environment))?;
        let opening = Opening::new(self.monitor().run(&environment));
        let request = RunRequest {
            scope: scope(order.service.as_deref()),
            to: order.to,
            dry_run: order.dry_run,
            overrides: order.overrides,
        };
        let prepared = engine
            .prepare_run(request, opening.context(caller, order.wait_for_lock))
            .instrument(opening.span())
            .await?;
        let beginning = Beginning {
            kind: RunKind::Run,
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
