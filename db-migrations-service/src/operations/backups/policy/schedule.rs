//! Backups by the clock.
//!
//! Every copy of the service looks at the clock; a claim in the master database says which one does the work. A claim that is not
//! prolonged lapses, so that another copy takes up what a dead one has begun.

use std::time::{Duration, Instant};

use kernel::Actor;
use migration_engine::catalogue::{CronExpression, Schedule};
use time::OffsetDateTime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::prune::PruneOrder;
use crate::master::schedules::DueClaim;
use crate::operations::{BackupHandle, BackupOrder, Caller, OperationError, Operations, RefusalCode};

/// Between two looks at the clock; a schedule is reckoned in minutes.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// A copy that has not prolonged its claim for so long is gone.
const LEASE: Duration = Duration::from_mins(2);
const PROLONG_EVERY: Duration = Duration::from_secs(30);
/// After a failure it is tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_mins(10);
/// What was due longer ago is let go: the next one is not far.
const MISSED_FOR: time::Duration = time::Duration::days(1);
/// What is done to the storage once a day, as a schedule of no environment.
const SWEEP: (&str, &str) = ("", "sweep");

/// What is done to the targets' servers, likewise.
const SERVERS: (&str, &str) = ("", "servers");
const SERVERS_EVERY_MINUTES: i64 = 5;

/// A backup that was due.
pub struct Fired {
    /// Of which environment.
    pub environment: String,
    /// The moment that it was due.
    pub due: OffsetDateTime,
    /// The backup under way, or why it did not begin.
    pub backup: Result<BackupHandle, OperationError>,
    /// What follows it: it is written down as done, verified, and the environment is pruned.
    pub settled: JoinHandle<()>,
}

impl Operations {
    /// Does what is due as long as the process serves.
    pub(crate) async fn keep_schedules(&self, shutdown: &CancellationToken) {
        // Whoever was here before may have died.
        if shutdown.run_until_cancelled(self.sweep_servers()).await.is_none() {
            return;
        }
        loop {
            let look = async {
                match self.master().time().await {
                    Ok(now) => {
                        Box::pin(self.fire_due(now)).await;
                        Box::pin(self.sweep_when_due(now)).await;
                        Box::pin(self.sweep_servers_when_due(now)).await;
                    }
                    Err(error) => tracing::warn!(%error, "whether a backup is due cannot be known"),
                }
            };
            let pause = async {
                look.await;
                tokio::time::sleep(LOOK_EVERY).await;
            };
            if shutdown.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    /// Begins the backups that are due at `now` and that no copy of the service has begun.
    pub async fn fire_due(&self, now: OffsetDateTime) -> Vec<Fired> {
        let mut fired = Vec::new();
        for (name, settings) in &self.catalogue().environments {
            // An environment without a database has nothing to back up.
            if self.target(Some(name)).is_err() {
                continue;
            }
            for schedule in &settings.backup.schedules {
                let due = last_due(&schedule.cron, now);
                match self.master().claim_due((name, &key(schedule)), due, now, LEASE).await {
                    Ok(Some(claim)) => fired.push(self.fire(name, schedule, (claim, due), now).await),
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(environment = name, %error, "whether a backup is due cannot be known");
                    }
                }
            }
        }
        fired
    }

    async fn fire(
        &self,
        environment: &str,
        schedule: &Schedule,
        (claim, due): (DueClaim, OffsetDateTime),
        now: OffsetDateTime,
    ) -> Fired {
        tracing::info!(environment, schedule = schedule.cron.as_str(), "a backup is due");
        let order = BackupOrder {
            environment: Some(environment.to_owned()),
            services: schedule.services.clone(),
            description: Some(format!("scheduled: {}", schedule.cron.as_str())),
            retention_days: schedule.retention_days,
            // Its claim lapses, and another copy makes it.
            goes_on: 0,
        };
        let caller = clockwork();
        let backup = self.start_backup(order, &caller).await;
        let (this, name, making) = (self.clone(), environment.to_owned(), backup.clone());
        let settled = tokio::spawn(async move {
            if this.see_through(making, &claim, now).await {
                this.follow_up(&name, &caller).await;
            }
        });
        Fired { environment: environment.to_owned(), due, backup, settled }
    }

    /// Waits until the backup is over and verified, keeps the claim meanwhile, and writes down what came of it.
    async fn see_through(
        &self,
        backup: Result<BackupHandle, OperationError>,
        claim: &DueClaim,
        now: OffsetDateTime,
    ) -> bool {
        let begun = Instant::now();
        let made = async {
            let making = backup?;
            making.finished().await?;
            let environment = making.record().map(|record| record.environment).unwrap_or_default();
            if self.verifies_backups(&environment)
                && let Err(error) = self.verify_now(making.id(), &clockwork()).await
            {
                tracing::error!(backup = making.id(), %error, "the backup could not be verified");
            }
            Ok::<_, OperationError>(())
        };
        tokio::pin!(made);
        let ended = loop {
            tokio::select! {
                ended = &mut made => break ended,
                () = tokio::time::sleep(PROLONG_EVERY) => {
                    let until = now + begun.elapsed() + LEASE;
                    if let Err(error) = self.master().prolong_due(claim, until).await {
                        tracing::warn!(%error, "the claim to a scheduled backup could not be prolonged");
                    }
                }
            }
        };
        // An environment whose first run has not been yet has nothing to back up.
        let ended = match ended {
            Err(OperationError::Refused { code: RefusalCode::DatabaseNotCreated, .. }) => Ok(()),
            other => other,
        };
        if let Err(error) = &ended {
            let minutes = TRY_AGAIN_AFTER.as_secs() / 60;
            tracing::error!(%error, cure = error.cure(), "a scheduled backup was not made; again in {minutes} minutes");
        }
        let again = ended.is_err().then(|| now + begun.elapsed() + TRY_AGAIN_AFTER);
        if let Err(error) = self.master().settle_due(claim, again).await {
            tracing::warn!(%error, "that a scheduled backup is done could not be written down");
        }
        ended.is_ok()
    }

    /// Prunes the environment.
    async fn follow_up(&self, environment: &str, caller: &Caller) {
        let name = Some(environment.to_owned());
        let order = PruneOrder { environment: name.clone(), dry_run: false, confirm: name };
        match self.prune_backups(&order, self.master().now(), caller).await {
            Ok(pruned) if pruned.deleted.is_empty() => {}
            Ok(pruned) => {
                tracing::info!(environment, backups = pruned.deleted.len(), "backups that no rule keeps were deleted");
            }
            Err(error) => tracing::error!(environment, %error, "backups that no rule keeps could not be deleted"),
        }
    }

    /// Sweeps the targets' servers every few minutes: a rehearsal or a verification that died with its process has no record by
    /// which others would know.
    async fn sweep_servers_when_due(&self, now: OffsetDateTime) {
        let due = now.truncate_to_minute();
        let due = due - time::Duration::minutes(i64::from(due.minute()) % SERVERS_EVERY_MINUTES);
        let Ok(Some(claim)) = self.master().claim_due(SERVERS, due, now, LEASE).await else { return };
        self.sweep_servers().await;
        if let Err(error) = self.master().settle_due(&claim, None).await {
            tracing::warn!(%error, "that the servers were swept could not be written down");
        }
    }

    /// Sweeps the storage once a day.
    async fn sweep_when_due(&self, now: OffsetDateTime) {
        if self.backup_place().and_then(super::super::BackupPlace::url).is_none() {
            return;
        }
        let today = now.replace_time(time::Time::MIDNIGHT);
        // Where the master database is away, others say so.
        let Ok(Some(claim)) = self.master().claim_due(SWEEP, today, now, LEASE).await else { return };
        let swept = self.sweep_backups().await;
        if let Err(error) = &swept {
            tracing::warn!(%error, "the storage of backups could not be swept");
        }
        let again = swept.is_err().then(|| now + TRY_AGAIN_AFTER);
        if let Err(error) = self.master().settle_due(&claim, again).await {
            tracing::warn!(%error, "that the storage was swept could not be written down");
        }
    }
}

/// Nobody asked for it just now.
fn clockwork() -> Caller {
    Caller::unrestricted(Actor::system("schedule"))
}

/// The newest moment that is due at `now`, the beginning of time where there is none: so that a schedule is known before it is
/// due for the first time.
fn last_due(cron: &CronExpression, now: OffsetDateTime) -> OffsetDateTime {
    cron.last_due(now).filter(|due| now - *due < MISSED_FOR).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// By which a schedule is known again.
fn key(schedule: &Schedule) -> String {
    let mut services = schedule.services.clone();
    services.sort();
    [&[schedule.cron.as_str().to_owned()], services.as_slice()].concat().join(" ")
}
