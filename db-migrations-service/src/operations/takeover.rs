//! Runs that outlast the copy of the service that began them ([ADR 17](../../../docs/adr/0017-copies.md)).
//!
//! A copy that is told to end lets its runs end within a grace time, and hands over what is still under way: the migration in hand is
//! taken back, the run is *interrupted*, and its order stands in the master database. The run of a copy that died is marked the same
//! by whoever sees it first. Any copy that serves goes on with it, by a new run that names the old one. What the old run did
//! stands in the target's history, and the target's lock keeps the two apart, should the old copy not be as dead as it seemed.
//!
//! What is kept of a rollback is its plan, as rows of the history: what is left of it is what still stands of these rows, whatever
//! was applied since. Seeds can be run again by their nature. Dry runs leave nothing, a reset of seeds would empty what was filled
//! since, and the command line's caller sees its end: they are not gone on with, and say so.

use std::time::Duration;

use kernel::Actor;
use migration_engine::proof::Override;
use migration_engine::request::{AppliedRow, RollbackTo};
use migration_engine::{ErrorCode, MigrationId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::homes::alone;
use super::run::{Continuation, RunOrder};
use super::{Caller, OperationError, Operations, Recording, RollbackOrder, RunHandle, RunState, SeedOrder};
use crate::master::takeover::LeftRun;

/// Between two looks for work that nobody carries on.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// For so long whoever goes on waits for the one before to let go of the target's lock.
const WAIT_FOR_LOCK: Duration = Duration::from_secs(30);
/// What took its process with it so often is left to people.
const MOST_TIMES: u8 = 3;
/// Before whoever comes after another run is looked at again, and before what could not go on is tried again, seconds.
const WAIT_FOR_TURN_S: i32 = 2;
const TRY_AGAIN_S: i32 = 60;

/// What whoever goes on with a run needs to know; it is about one database.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptOrder {
    what: What,
    environment: String,
    service: Option<String>,
    no_backup: Option<String>,
    despite_releases: Option<String>,
    /// The services that the caller may touch; `None` is all.
    services: Option<Vec<String>>,
    actor: Actor,
    /// How many runs with it were left behind before.
    times: u8,
    /// The run that must have ended well before this one begins.
    after: Option<Uuid>,
}

/// What is to be done. A copy of a release that does not know it does nothing.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum What {
    Run { to: Option<MigrationId>, overrides: Vec<Override> },
    Rollback { rows: Vec<AppliedRow> },
    Seed,
}

/// Whether the run before has ended.
enum Turn {
    Here,
    NotYet,
    Never(RunState),
}

impl KeptOrder {
    /// What is kept of a run's order, for one of its databases; `None` where nobody would go on with it.
    pub(super) fn run(operations: &Operations, order: &RunOrder, environment: &str, caller: &Caller) -> Option<Value> {
        if order.dry_run {
            return None;
        }
        let what = What::Run { to: order.to.clone(), overrides: order.overrides.clone() };
        let kept = Self::new(what, environment, order.service.as_ref(), caller, order.continuation.as_ref());
        let (no_backup, despite_releases) = (order.no_backup.clone(), order.despite_releases.clone());
        Self { no_backup, despite_releases, ..kept }.keep(operations)
    }

    /// The same of a rollback that takes back these rows.
    pub(super) fn rollback(
        operations: &Operations,
        order: &RollbackOrder,
        (environment, rows): (&str, Vec<AppliedRow>),
        caller: &Caller,
    ) -> Option<Value> {
        if order.dry_run {
            return None;
        }
        let what = What::Rollback { rows };
        let kept = Self::new(what, environment, order.service.as_ref(), caller, order.continuation.as_ref());
        let (no_backup, despite_releases) = (order.no_backup.clone(), order.despite_releases.clone());
        Self { no_backup, despite_releases, ..kept }.keep(operations)
    }

    /// The same of seeds.
    pub(super) fn seed(
        operations: &Operations,
        order: &SeedOrder,
        (environment, after): (&str, Option<Uuid>),
        caller: &Caller,
    ) -> Option<Value> {
        if order.reset {
            return None;
        }
        let kept = Self::new(What::Seed, environment, order.service.as_ref(), caller, order.continuation.as_ref());
        Self { after, ..kept }.keep(operations)
    }

    fn new(
        what: What,
        environment: &str,
        service: Option<&String>,
        caller: &Caller,
        continuation: Option<&Continuation>,
    ) -> Self {
        Self {
            what,
            environment: alone(environment),
            service: service.cloned(),
            no_backup: None,
            despite_releases: None,
            services: caller.services.clone(),
            actor: caller.actor.clone(),
            times: continuation.map_or(0, |run| run.times),
            after: None,
        }
    }

    fn keep(self, operations: &Operations) -> Option<Value> {
        let is_kept = operations.0.recording == Recording::First && self.times < MOST_TIMES;
        is_kept.then(|| serde_json::to_value(self).ok()).flatten()
    }

    /// Says of a kept order which run comes before.
    pub(super) fn comes_after(order: &mut Option<Value>, before: Uuid) {
        if let Some(order) = order {
            order["after"] = json!(before);
        }
    }
}

/// Whether it is refused because of what has happened since, so that no waiting helps.
fn is_final(error: &OperationError) -> bool {
    matches!(error, OperationError::Engine(error) if matches!(error.code, ErrorCode::UnknownMigration | ErrorCode::Irreversible))
}

impl Operations {
    /// Says what became of what others left behind, and goes on with it, as long as the process serves.
    pub(crate) async fn keep_runs(&self, shutdown: &CancellationToken) {
        while shutdown.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            if let Err(error) = self.look_for_left_work().await {
                tracing::debug!(%error, "whether something was left behind cannot be known");
            }
        }
    }

    async fn look_for_left_work(&self) -> Result<(), OperationError> {
        if self.settle_left_work().await? {
            self.sweep_servers().await;
        }
        self.tell_of_left_runs().await?;
        loop {
            let new = Uuid::now_v7();
            let Some(left) = self.master().take_left_run(new).await? else { break };
            self.go_on_with(left, new).await?;
        }
        self.make_left_backups().await
    }

    /// Marks what was done by processes that are gone; whether there was anything.
    async fn settle_left_work(&self) -> Result<bool, OperationError> {
        let master = self.master();
        let settled = [master.settle_runs().await?, master.settle_backups().await?, master.settle_restores().await?];
        let [runs, backups, restores] = settled;
        if settled.iter().sum::<usize>() == 0 {
            return Ok(false);
        }
        tracing::warn!(runs, backups, restores, "what processes that are gone had begun was marked as interrupted");
        Ok(true)
    }

    async fn go_on_with(&self, left: LeftRun, new: Uuid) -> Result<(), OperationError> {
        let kept: KeptOrder = match serde_json::from_value(left.order) {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(run = %left.id, %error, "a run was left behind whose order this release does not read");
                return Ok(self.master().leave_run(left.id, new, TRY_AGAIN_S).await?);
            }
        };
        match self.turn_after(kept.after).await? {
            Turn::Here => {}
            Turn::NotYet => return Ok(self.master().leave_run(left.id, new, WAIT_FOR_TURN_S).await?),
            Turn::Never(state) => {
                tracing::warn!(run = %left.id, state = state.as_str(), "a run that was left behind does not go on: the one before it did not end well");
                return Ok(self.master().give_up_run(left.id, new).await?);
            }
        }
        let continuation = Continuation { id: new, of: left.id, times: kept.times.saturating_add(1) };
        match Box::pin(self.begin_again(kept, left.request_id, continuation)).await {
            Ok(_) => tracing::warn!(run = %left.id, continued_by = %new, "a run that was left behind goes on"),
            Err(error) if is_final(&error) => {
                tracing::warn!(run = %left.id, %error, "a run that was left behind does not go on");
                self.master().give_up_run(left.id, new).await?;
            }
            Err(error) => {
                tracing::warn!(run = %left.id, %error, "a run that was left behind cannot go on yet");
                self.master().leave_run(left.id, new, TRY_AGAIN_S).await?;
            }
        }
        Ok(())
    }

    async fn begin_again(
        &self,
        kept: KeptOrder,
        request_id: Option<String>,
        continuation: Continuation,
    ) -> Result<RunHandle, OperationError> {
        let caller = Caller { actor: kept.actor, request_id, services: kept.services };
        let (environment, service, wait_for_lock) = (Some(kept.environment.clone()), kept.service, WAIT_FOR_LOCK);
        let (no_backup, despite_releases) = (kept.no_backup, kept.despite_releases);
        let continuation = Some(continuation);
        match kept.what {
            What::Run { to, overrides } => {
                let order = RunOrder {
                    environment,
                    service,
                    to,
                    dry_run: false,
                    wait_for_lock,
                    overrides,
                    no_backup,
                    despite_releases,
                    continuation,
                };
                self.start_run(order, &caller).await
            }
            What::Rollback { rows } => {
                let order = RollbackOrder {
                    environment,
                    service,
                    to: RollbackTo::Rows(rows),
                    dry_run: false,
                    // Whoever asked for it has confirmed it.
                    confirm: Some(self.environment(Some(&kept.environment))?.environment.clone()),
                    wait_for_lock,
                    no_backup,
                    despite_releases,
                    continuation,
                };
                self.start_rollback(order, &caller).await
            }
            What::Seed => {
                let order = SeedOrder { environment, service, reset: false, wait_for_lock, continuation };
                self.start_seed(order, &caller).await
            }
        }
    }

    /// Whether the run before, or the last of those that went on with it, has ended well.
    async fn turn_after(&self, before: Option<Uuid>) -> Result<Turn, OperationError> {
        let mut next = before;
        while let Some(id) = next {
            let Some(run) = self.master().run(id).await? else { return Ok(Turn::NotYet) };
            match run.state {
                RunState::Completed => return Ok(Turn::Here),
                RunState::Running => return Ok(Turn::NotYet),
                RunState::Interrupted if run.continued_by.is_none() => return Ok(Turn::NotYet),
                RunState::Interrupted => next = run.continued_by,
                state => return Ok(Turn::Never(state)),
            }
        }
        Ok(Turn::Here)
    }
}
