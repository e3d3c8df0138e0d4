//! Runs over fleets: begun, taken up again, called off, looked up.

use std::time::Duration;

use migration_engine::catalogue::Fleet;
use migration_engine::{EngineError, ErrorCode};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::drive::{Drive, LEASE};
use super::find::Member;
use super::jobs::FleetHandle;
use super::order::{FleetAim, FleetOrder, KeptOrder, missing, waves};
use super::view::{FleetProgress, FleetRunView};
use crate::master::fleets::{FleetClaim, FleetRunRecord, FleetRunState, FleetTargetRecord, FleetTargetState};
use crate::operations::run::with_reason;
use crate::operations::runs::joined;
use crate::operations::{Caller, OperationError, Operations, RefusalCode};

/// Between two looks for runs that nobody does.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Whoever calls a run off that another process does is answered after so long at the latest.
const CANCEL_PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks whether it is.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// All databases of a run are read at once.
const ALL: i64 = i64::MAX;

impl Operations {
    /// Begins a run over a fleet. When this returns, its databases are found and written down, and it is under way; it goes on
    /// whether or not anybody listens.
    ///
    /// # Errors
    /// Unknown names, a fleet whose databases cannot be found, another run of it that is not over, no confirmation, a backup
    /// that the environment wants, a master database that is away: nothing was changed.
    pub async fn start_fleet_run(&self, order: FleetOrder, caller: &Caller) -> Result<FleetHandle, OperationError> {
        // A task of its own: a listener who goes away in the middle must not leave it half started.
        let (this, caller) = (self.clone(), caller.clone());
        joined(tokio::spawn(async move { Box::pin(this.start_fleet_run_here(order, &caller)).await })).await
    }

    async fn start_fleet_run_here(&self, order: FleetOrder, caller: &Caller) -> Result<FleetHandle, OperationError> {
        let (fleet, project) = self.fleet(&order.fleet, caller)?;
        self.may_begin(&order, fleet)?;
        if let FleetAim::Forward { to: Some(id) } = &order.aim
            && project.migration(id).is_none()
        {
            // Each database would say so, the first one as a failure.
            let message = format!("there is no migration {id}");
            return Err(EngineError::new(ErrorCode::UnknownMigration, message)
                .cure("`profe migrate status` lists all of them")
                .into());
        }
        let members = self.members(&order.fleet, fleet).await?;
        let names: Vec<String> = members.iter().map(|member| member.name.clone()).collect();
        let kept = KeptOrder::of(&order, fleet, names.len());
        let canary = order.canary.as_ref().unwrap_or(&fleet.canary);
        let missing = missing(&names, canary);
        if !missing.is_empty() {
            let message = format!("the fleet {:?} has no {}, which should go first", order.fleet, missing.join(", "));
            return Err(OperationError::refuse(RefusalCode::InvalidRequest, message).with_cure(format!(
                "correct its canary in config/services.toml: `profe fleet status {} --each` lists its databases",
                order.fleet
            )));
        }
        let waves = waves(&names, canary, order.wave.unwrap_or(fleet.wave));
        let run = FleetRunRecord {
            id: Uuid::now_v7(),
            fleet: order.fleet.clone(),
            environment: fleet.environment.clone(),
            kind: order.aim.kind().to_owned(),
            orders: serde_json::to_value(&kept).unwrap_or_default(),
            targets: i32::try_from(names.len()).unwrap_or(i32::MAX),
            state: FleetRunState::Running,
            actor: caller.actor.to_string(),
            request_id: caller.request_id.clone(),
            started_at: self.master().now(),
            finished_at: None,
            why: None,
            held_by: None,
            is_held: true,
            dead_holder: None,
            counts: std::collections::BTreeMap::new(),
        };
        let targets: Vec<(i32, String)> = waves.iter().copied().zip(names).collect();
        let claim = self.master().begin_fleet_run(&run, &targets, LEASE).await?.ok_or_else(|| {
            let message = format!("a run of the fleet {:?} is not over", order.fleet);
            OperationError::refuse(RefusalCode::FleetBusy, message).with_cure(
                "wait for it, or call it off: `profe fleet runs` names it, `profe fleet cancel RUN` stops it",
            )
        })?;
        let targets = targets.into_iter().enumerate().map(|(place, (wave, name))| pending(place, wave, name)).collect();
        Ok(self.drive(claim, Drive::new(self.clone(), run, kept, &project, members, (targets, false))))
    }

    fn may_begin(&self, order: &FleetOrder, fleet: &Fleet) -> Result<(), OperationError> {
        for passed_by in &order.overrides {
            with_reason(passed_by.gate.as_str(), Some(&passed_by.reason))?;
        }
        with_reason("backup", order.no_backup.as_deref())?;
        with_reason("contract", order.despite_releases.as_deref())?;
        let environment = self.catalogue().environment(&fleet.environment)?;
        let (name, goes_back) = (&order.fleet, order.aim.back().is_some());
        if goes_back && environment.protected && order.confirm.as_deref() != Some(name) {
            let message = format!("the environment {:?} is protected, and a rollback can lose data", fleet.environment);
            return Err(OperationError::refuse(RefusalCode::ConfirmationRequired, message)
                .with_cure(format!("look at its plan first, then repeat the fleet's name: \"confirm\": {name:?}")));
        }
        if environment.backs_up_before_runs() && order.no_backup.is_none() {
            let message = format!(
                "the environment {:?} is backed up before each run, and the databases of a fleet are not backed up by the service",
                fleet.environment
            );
            return Err(EngineError::new(ErrorCode::BackupRequired, message)
                .cure("back them up by other means, and say so as the reason to go without: `--no-backup REASON`")
                .into());
        }
        Ok(())
    }

    /// Goes on with a run where it stopped: what failed is tried again, what is done is left alone.
    ///
    /// # Errors
    /// No such run, one that somebody does, one that leaves nothing to do; a fleet whose databases cannot be found.
    pub async fn resume_fleet_run(&self, id: Uuid, caller: &Caller) -> Result<FleetHandle, OperationError> {
        let (this, caller) = (self.clone(), caller.clone());
        joined(tokio::spawn(async move { Box::pin(this.resume_here(id, &caller)).await })).await
    }

    async fn resume_here(&self, id: Uuid, caller: &Caller) -> Result<FleetHandle, OperationError> {
        let run = self.fleet_run_record(id, caller).await?;
        let (fleet, project) = self.fleet(&run.fleet, caller)?;
        let kept: KeptOrder = serde_json::from_value(run.orders.clone()).map_err(|error| {
            OperationError::refuse(
                RefusalCode::InvalidRequest,
                format!("the run {id} was asked for by another version: {error}"),
            )
            .with_cure("begin a new one: what is done is left alone")
        })?;
        let members = self.members(&run.fleet, fleet).await?;
        let Some(claim) = self.master().claim_fleet_run(id, run.dead_holder, LEASE).await? else {
            return Err(not_to_resume(&run));
        };
        let targets = self.master().fleet_targets(id, None, -1, ALL).await?;
        Ok(self.drive(claim, Drive::new(self.clone(), run, kept, &project, members, (targets, true))))
    }

    fn drive(&self, claim: FleetClaim, drive: Drive) -> FleetHandle {
        let handle = FleetHandle::new(claim.run);
        self.0.fleets.add(handle.clone());
        let (this, doing) = (self.clone(), handle.clone());
        tokio::spawn(async move {
            // Its own task, so that a panic in it is no more than a lease that lapses.
            let inner = doing.clone();
            if tokio::spawn(async move { Box::pin(drive.go(claim, &inner)).await }).await.is_err() {
                tracing::error!(run = %claim.run, "a run over a fleet broke down inside the program");
            }
            this.0.fleets.remove(claim.run);
            doing.is_over();
        });
        handle
    }

    /// Stops a fleet's run, whoever does it: the process that does looks every few seconds whether it is asked to. Answers when it
    /// is stopped, or how it stands when that takes longer than anybody should wait.
    ///
    /// # Errors
    /// No such run, one that is over.
    pub async fn cancel_fleet_run(&self, id: Uuid, caller: &Caller) -> Result<FleetRunView, OperationError> {
        let run = self.fleet_run_record(id, caller).await?;
        if run.state != FleetRunState::Running {
            let message = format!("the run {id} is over: {}", run.state.as_str());
            return Err(OperationError::refuse(RefusalCode::RunIsOver, message).with_cure("look at the run itself"));
        }
        if let Some(handle) = self.0.fleets.get(id) {
            handle.cancel();
            handle.finished().await;
        } else {
            let stopped = self.call_off_elsewhere(id, caller);
            if let Ok(stopped) = tokio::time::timeout(CANCEL_PATIENCE, stopped).await {
                stopped?;
            }
        }
        self.fleet_run(id, caller).await
    }

    /// Asks whoever does a run to stop it, until that is done; where nobody does it, it is done here.
    async fn call_off_elsewhere(&self, id: Uuid, caller: &Caller) -> Result<(), OperationError> {
        loop {
            let run = self.fleet_run_record(id, caller).await?;
            if run.state != FleetRunState::Running {
                return Ok(());
            }
            if !run.is_held
                && let Some(claim) = self.master().claim_fleet_run(id, run.dead_holder, LEASE).await?
            {
                return Ok(self.master().release_fleet_run(claim, Some(FleetRunState::Cancelled), None).await?);
            }
            self.master().ask_to_cancel_fleet(id).await?;
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// One run.
    ///
    /// # Errors
    /// No such run, or one of a service that the caller may not touch; a master database that is away.
    pub async fn fleet_run(&self, id: Uuid, caller: &Caller) -> Result<FleetRunView, OperationError> {
        Ok(self.fleet_run_record(id, caller).await?.into())
    }

    /// One run with how far each wave is, and each server.
    ///
    /// # Errors
    /// As [`fleet_run`](Self::fleet_run).
    pub async fn fleet_progress(&self, id: Uuid, caller: &Caller) -> Result<FleetProgress, OperationError> {
        let run = self.fleet_run(id, caller).await?;
        Ok(FleetProgress::of(run, self.master().fleet_counts(id).await?))
    }

    async fn fleet_run_record(&self, id: Uuid, caller: &Caller) -> Result<FleetRunRecord, OperationError> {
        let run = self.master().fleet_run(id).await?.ok_or_else(|| {
            OperationError::refuse(RefusalCode::UnknownRun, format!("there is no run {id} over a fleet"))
                .with_cure("`profe fleet runs` lists them, and GET /api/fleets/runs")
        })?;
        match self.catalogue().fleets.get(&run.fleet) {
            Some(fleet) => caller.check(Some(&fleet.service))?,
            None => caller.check(None)?,
        }
        Ok(run)
    }

    /// Runs over a fleet, or over all that the caller may touch, newest first; older than `before`, at most `limit`.
    ///
    /// # Errors
    /// An unknown fleet; a master database that is away.
    pub async fn fleet_runs(
        &self,
        fleet: Option<&str>,
        before: Option<Uuid>,
        limit: u32,
        caller: &Caller,
    ) -> Result<Vec<FleetRunView>, OperationError> {
        if let Some(name) = fleet {
            self.fleet(name, caller)?;
        } else {
            caller.check(None)?;
        }
        let runs = self.master().fleet_runs(fleet, before, limit.into()).await?;
        Ok(runs.into_iter().map(FleetRunView::from).collect())
    }

    /// The databases of a run in their order, those of a state or all; after the place `after`, at most `limit`.
    ///
    /// # Errors
    /// As [`fleet_run`](Self::fleet_run).
    pub async fn fleet_run_targets(
        &self,
        id: Uuid,
        state: Option<FleetTargetState>,
        after: Option<i32>,
        limit: u32,
        caller: &Caller,
    ) -> Result<Vec<FleetTargetRecord>, OperationError> {
        self.fleet_run_record(id, caller).await?;
        Ok(self.master().fleet_targets(id, state, after.unwrap_or(-1), limit.into()).await?)
    }

    /// Takes up the runs whose process died or handed them over, as long as this one serves.
    pub(crate) async fn keep_fleets(&self, shutdown: &CancellationToken) {
        if self.catalogue().fleets.is_empty() {
            return;
        }
        while shutdown.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            let lapsed = match self.master().lapsed_fleet_runs().await {
                Ok(lapsed) => lapsed,
                Err(error) => {
                    tracing::debug!(%error, "whether a fleet's run was left behind cannot be known");
                    continue;
                }
            };
            for id in lapsed {
                let caller = Caller::unrestricted(kernel::Actor::system("fleets"));
                if self.master().is_fleet_asked_to_cancel(id).await.unwrap_or(false) {
                    match self.cancel_fleet_run(id, &caller).await {
                        Ok(_) => {
                            tracing::warn!(run = %id, "a run over a fleet that nobody did was called off, as it had been asked");
                        }
                        Err(error) => tracing::warn!(run = %id, %error, "a run over a fleet could not be called off"),
                    }
                    continue;
                }
                match self.resume_fleet_run(id, &caller).await {
                    Ok(_) => tracing::warn!(run = %id, "a run over a fleet that nobody did is taken up"),
                    Err(error) => tracing::warn!(run = %id, %error, "a run over a fleet could not be taken up"),
                }
            }
        }
    }
}

/// Why nobody can go on with a run now.
fn not_to_resume(run: &FleetRunRecord) -> OperationError {
    let by = run.held_by.as_deref().unwrap_or("another process");
    if run.is_held {
        let message = format!("the run {} is under way: {by} does it", run.id);
        return OperationError::refuse(RefusalCode::FleetBusy, message).with_cure("wait for it");
    }
    let is_done = |state: FleetTargetState| state.is_done().then(|| run.counts.get(state.as_str())).flatten();
    let done: i64 = FleetTargetState::ALL.into_iter().filter_map(is_done).sum();
    if done == i64::from(run.targets) {
        let message = format!("the run {} is over: every database has had its turn", run.id);
        return OperationError::refuse(RefusalCode::RunIsOver, message).with_cure("begin a new one");
    }
    let message =
        format!("another run of the fleet {:?} is not over, or somebody has just taken this one up", run.fleet);
    OperationError::refuse(RefusalCode::FleetBusy, message).with_cure("`profe fleet runs` names it")
}

fn pending(place: usize, wave: i32, name: String) -> FleetTargetRecord {
    FleetTargetRecord {
        place: i32::try_from(place).unwrap_or(i32::MAX),
        wave,
        name,
        state: FleetTargetState::Pending,
        version: None,
        migrations: 0,
        error: None,
    }
}

/// The members by name, for whoever goes on with a list that was made before.
pub(super) fn by_name(members: Vec<Member>) -> std::collections::HashMap<String, Member> {
    members.into_iter().map(|member| (member.name.clone(), member)).collect()
}
