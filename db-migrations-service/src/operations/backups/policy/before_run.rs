//! The backup before a run: finished, and verified where the environment wants that, before the first DDL.
//!
//! The run holds the target's migration lock meanwhile, so its plan still fits afterwards. A dump's own locks are gone with its
//! sessions by then; one that ran beside the DDL would have it wait, and all users behind it.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use backup_vault::BackupId;
use migration_engine::event::Outcome;
use migration_engine::{EngineError, ErrorCode, Event, Plan, PreparedRun};
use postgres_link::tokio_postgres::types::Type;
use tokio_util::sync::CancellationToken;

use crate::master::backups::{BackupRecord, BackupState};
use crate::master::runs::{BackupOrigin, RunKind};
use crate::operations::events::EventLog;
use crate::operations::{BackupHandle, BackupOrder, Caller, OperationError, Operations};

/// How to go on without one.
const WAY_PAST: &str = "`--no-backup REASON` (override the gate \"backup\") goes on without one";

/// What covers a run.
#[derive(Clone)]
pub(in crate::operations) struct Cover {
    pub(in crate::operations) origin: BackupOrigin,
    pub(in crate::operations) backup_id: Option<String>,
    /// Under way, where it is made for the run.
    making: Option<BackupHandle>,
    environment: String,
    services: Vec<String>,
    verify: bool,
}

/// What is known of a run that may want a backup first.
pub(in crate::operations) struct Covering<'a> {
    pub(in crate::operations) environment: &'a str,
    pub(in crate::operations) kind: RunKind,
    pub(in crate::operations) plan: &'a Plan,
    /// Why it shall go without one.
    pub(in crate::operations) no_backup: Option<&'a str>,
}

impl Cover {
    fn none(environment: &str) -> Self {
        Self {
            origin: BackupOrigin::Waived,
            backup_id: None,
            making: None,
            environment: environment.to_owned(),
            services: Vec::new(),
            verify: false,
        }
    }

    /// Nobody waits for it any more.
    pub(in crate::operations) fn give_up(&self) {
        if let Some(making) = &self.making {
            making.cancel();
        }
    }
}

impl Operations {
    /// Finds what covers a run, or begins to make it. `None` where the environment wants no backup, or the run touches nothing
    /// that is there.
    ///
    /// # Errors
    /// [`ErrorCode::BackupRequired`]: there is none, and none can be made.
    pub(in crate::operations) async fn cover(
        &self,
        run: Covering<'_>,
        caller: &Caller,
    ) -> Result<Option<Cover>, OperationError> {
        let environment = run.environment;
        let settings = self.catalogue().environment(environment)?;
        if !settings.backs_up_before_runs() {
            return Ok(None);
        }
        let services = self.services_of(run.plan);
        if services.is_empty() || !self.holds_anything(environment, &services).await? {
            return Ok(None);
        }
        let cover = Cover { services, verify: settings.verifies_backups(), ..Cover::none(environment) };
        if run.no_backup.is_some() {
            return Ok(Some(cover));
        }
        let fresh_for = Duration::from_secs(u64::from(settings.backup.fresh_for_minutes) * 60);
        let covered = async {
            if let Some(id) = self.fresh(environment, &cover.services, fresh_for).await? {
                return Ok(Cover { origin: BackupOrigin::Accepted, backup_id: Some(id), ..cover });
            }
            let order = BackupOrder {
                environment: Some(environment.to_owned()),
                services: cover.services.clone(),
                description: Some(format!("before a {}", run.kind.as_str())),
                ..BackupOrder::default()
            };
            let making = self.start_backup(order, &for_all(caller)).await?;
            let backup_id = Some(making.id().to_owned());
            Ok(Cover { origin: BackupOrigin::Made, backup_id, making: Some(making), ..cover })
        };
        covered.await.map(Some).map_err(|error| required(environment, &error))
    }

    /// The services whose schemas a plan changes.
    fn services_of(&self, plan: &Plan) -> Vec<String> {
        let catalogue = self.catalogue();
        let mut services = Vec::new();
        for planned in &plan.migrations {
            // What was applied long ago may name a service that the catalogue calls otherwise now.
            let owner = catalogue.owner_of(&planned.migration.schema).map(|(name, _)| name.to_owned());
            if let Some(service) = owner.filter(|service| !services.contains(service)) {
                services.push(service);
            }
        }
        services.sort();
        services
    }

    /// Whether there is anything in the schemas of these services.
    async fn holds_anything(&self, environment: &str, services: &[String]) -> Result<bool, OperationError> {
        let known = |name: &String| self.catalogue().services.get(name);
        let schemas: Vec<String> = services.iter().filter_map(known).flat_map(|s| s.schemas.clone()).collect();
        let sql = "SELECT to_jsonb(EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE n.nspname = ANY ($1)))";
        self.inspect(Some(environment)).await?.document(sql, &[(&schemas, Type::TEXT_ARRAY)]).await
    }

    /// A verified backup that has these services, is not older than `fresh_for`, and that no schema was changed since.
    async fn fresh(
        &self,
        environment: &str,
        services: &[String],
        fresh_for: Duration,
    ) -> Result<Option<String>, OperationError> {
        if fresh_for.is_zero() {
            return Ok(None);
        }
        let (vault, target) = (self.vault()?, self.target(Some(environment))?);
        let oldest = self.master().now() - fresh_for;
        let has = |record: &BackupRecord| {
            record.services.is_empty() || services.iter().all(|service| record.services.contains(service))
        };
        let fits = |record: &BackupRecord| {
            record.state == BackupState::Ready
                && record.environment == environment
                && record.started_at >= oldest
                && record.verified_at.is_some()
                && record.findings.is_empty()
                && has(record)
        };
        let mut records = self.kept(&vault).await?;
        records.retain(fits);
        records.sort_by_key(|record| Reverse(record.started_at));
        for record in records {
            let Ok(id) = record.id.parse::<BackupId>() else { continue };
            // One that is gone, or is not what was put there, covers nothing.
            let Ok(manifest) = vault.manifest(&id).await else { continue };
            if record.manifest_sha256.as_ref() == Some(&manifest.sha256)
                && vault.is_current(&manifest, &target.connect).await.map_err(|error| self.refused(error))?
            {
                return Ok(Some(record.id));
            }
        }
        Ok(None)
    }

    /// Waits until the backup is there, and verified where that is wanted. Whoever cancels the run cancels it.
    ///
    /// # Errors
    /// It was not made, or cannot be restored: the run must not begin.
    pub(in crate::operations) async fn covered(
        &self,
        cover: &Cover,
        run: &PreparedRun,
        (log, cancel): (&EventLog, &CancellationToken),
        caller: &Caller,
    ) -> Result<(), Box<EngineError>> {
        let Some(backup_id) = cover.backup_id.clone() else { return Ok(()) };
        let begun = Instant::now();
        let made = async {
            let Some(making) = &cover.making else { return Ok(true) };
            log.push(Event::BackingUp { backup_id: backup_id.clone(), services: cover.services.clone() });
            self.while_held(cover, making, run, cancel).await?;
            if cover.verify {
                log.push(Event::VerifyingBackup { backup_id: backup_id.clone() });
                let verifying =
                    self.start_verification(&backup_id, &for_all(caller)).await.map_err(|e| cover.refused(&e))?;
                self.while_held(cover, &verifying, run, cancel).await?;
                let found = self.backup(&backup_id, &for_all(caller)).await.map_err(|e| cover.refused(&e))?;
                if let Some(finding) = found.verification.findings.first() {
                    return Err(cover.unproven(&backup_id, finding));
                }
            }
            Ok(cover.verify)
        };
        match made.await {
            Ok(verified) => {
                let accepted = cover.origin == BackupOrigin::Accepted;
                let duration_ms = begun.elapsed().as_millis() as u64;
                log.push(Event::BackedUp { backup_id, accepted, verified, duration_ms });
                Ok(())
            }
            Err(error) => {
                let cancelled = error.code == ErrorCode::Cancelled;
                let outcome = if cancelled { Outcome::Cancelled } else { Outcome::Failed };
                let duration_ms = begun.elapsed().as_millis() as u64;
                log.push(Event::Finished { outcome, done: 0, duration_ms });
                Err(error)
            }
        }
    }

    /// Waits for a job as long as the run keeps its lock and nobody stops it.
    async fn while_held(
        &self,
        cover: &Cover,
        job: &BackupHandle,
        run: &PreparedRun,
        cancel: &CancellationToken,
    ) -> Result<(), Box<EngineError>> {
        let stopped = tokio::select! {
            ended = job.finished() => {
                return ended.map_err(|error| cover.refused(&error));
            }
            () = cancel.cancelled() => cancelled(),
            lost = run.hold() => lost,
        };
        job.cancel();
        // How it ended is of no interest any more, but that it has.
        let _ = job.finished().await;
        Err(Box::new(stopped))
    }
}

impl Cover {
    fn refused(&self, error: &OperationError) -> Box<EngineError> {
        Box::new(into_engine(required(&self.environment, error)))
    }

    fn unproven(&self, id: &str, finding: &str) -> Box<EngineError> {
        let message = format!(
            "the environment {:?} is backed up before each run, and the backup {id} cannot be restored as it was: {finding}",
            self.environment
        );
        let cure = format!("see `profe backup verify {id}`; nothing was applied; {WAY_PAST}");
        Box::new(EngineError::new(ErrorCode::BackupRequired, message).cure(cure))
    }
}

fn cancelled() -> EngineError {
    EngineError::new(ErrorCode::Cancelled, "cancelled while what the run touches was backed up")
        .cure("run again: nothing was applied")
}

/// The run is refused for what stopped its backup.
fn required(environment: &str, error: &OperationError) -> OperationError {
    if error.engine().is_some_and(|error| error.code == ErrorCode::Cancelled) {
        return cancelled().into();
    }
    let message = format!("the environment {environment:?} is backed up before each run, and that failed: {error}");
    let cure = error.cure().map(|cure| format!("{cure}; ")).unwrap_or_default();
    EngineError::new(ErrorCode::BackupRequired, message).cure(format!("{cure}nothing was applied; {WAY_PAST}")).into()
}

fn into_engine(error: OperationError) -> EngineError {
    match error {
        OperationError::Engine(error) => *error,
        other => EngineError::new(ErrorCode::BackupRequired, other.to_string()),
    }
}

/// The plan was held against what the caller may touch; its backup has no more than that.
fn for_all(caller: &Caller) -> Caller {
    Caller { services: None, ..caller.clone() }
}
