//! Runs that outlast the copy of the service that began them.
//!
//! A copy that is told to end lets its runs end within a grace time, and hands over what is still under way: the migration in hand is
//! taken back, the run is *interrupted*, and its order stands in the master database. The run of a copy that died is marked the same
//! by whoever sees it first. Any copy that serves goes on with it, by a new run that names the old one. What the old run applied
//! stands in the target's history, and the target's lock keeps the two apart, should the old copy not be as dead as it seemed.
//!
//! Rollbacks, seeds and dry runs are not gone on with: what was in hand is taken back, and whoever asked for it decides.

use std::time::Duration;

use kernel::Actor;
use migration_engine::MigrationId;
use migration_engine::proof::Override;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::run::{Continuation, RunOrder};
use super::{Caller, Operations, Recording};
use crate::master::takeover::LeftRun;

/// Between two looks for runs that nobody carries on.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// For so long whoever goes on waits for the one before to let go of the target's lock.
const WAIT_FOR_LOCK: Duration = Duration::from_secs(30);

/// What whoever goes on with a run needs to know.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptOrder {
    environment: String,
    service: Option<String>,
    to: Option<MigrationId>,
    overrides: Vec<Override>,
    no_backup: Option<String>,
    despite_releases: Option<String>,
    /// The services that the caller may touch; `None` is all.
    services: Option<Vec<String>>,
    actor: Actor,
}

impl Operations {
    /// The order as it is kept, for one of its databases; `None` where nobody would go on with it.
    pub(super) fn kept_order(&self, order: &RunOrder, environment: &str, caller: &Caller) -> Option<Value> {
        if order.dry_run || self.0.recording != Recording::First {
            return None;
        }
        let kept = KeptOrder {
            environment: environment.to_owned(),
            service: order.service.clone(),
            to: order.to.clone(),
            overrides: order.overrides.clone(),
            no_backup: order.no_backup.clone(),
            despite_releases: order.despite_releases.clone(),
            services: caller.services.clone(),
            actor: caller.actor.clone(),
        };
        serde_json::to_value(kept).ok()
    }

    /// Goes on with what others left behind, as long as the process serves.
    pub(crate) async fn keep_runs(&self, shutdown: &CancellationToken) {
        while shutdown.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            if let Err(error) = self.master().settle_runs().await {
                tracing::debug!(%error, "whether a run was left behind cannot be known");
                continue;
            }
            loop {
                let new = Uuid::now_v7();
                match self.master().take_left_run(new).await {
                    Ok(Some(left)) => self.go_on_with(left, new).await,
                    Ok(None) => break,
                    Err(error) => {
                        tracing::debug!(%error, "runs that were left behind cannot be taken up");
                        break;
                    }
                }
            }
        }
    }

    async fn go_on_with(&self, left: LeftRun, new: Uuid) {
        let kept: KeptOrder = match serde_json::from_value(left.order) {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(run = %left.id, %error, "a run was left behind whose order this release does not read; run again");
                return;
            }
        };
        let caller = Caller { actor: kept.actor, request_id: left.request_id, services: kept.services };
        let order = RunOrder {
            environment: Some(kept.environment),
            service: kept.service,
            to: kept.to,
            wait_for_lock: WAIT_FOR_LOCK,
            overrides: kept.overrides,
            no_backup: kept.no_backup,
            despite_releases: kept.despite_releases,
            continuation: Some(Continuation { id: new, of: left.id }),
            ..RunOrder::default()
        };
        match Box::pin(self.start_run(order, &caller)).await {
            Ok(_) => tracing::warn!(run = %left.id, continued_by = %new, "a run that was left behind goes on"),
            Err(error) => tracing::warn!(run = %left.id, %error, "a run that was left behind cannot go on yet"),
        }
    }
}
