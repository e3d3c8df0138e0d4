//! Making, verifying, restoring and deleting.

use std::future::Future;
use std::str::FromStr;
use std::time::Duration;

use backup_vault::{BackupId, MakeRequest, Manifest, Scope, Vault, VaultError, Verification};
use embedded_postgres::Tools;
use migration_engine::{EngineError, ErrorCode, Target};
use time::OffsetDateTime;

use super::find::check;
use super::job::{BackupHandle, Done, End};
use super::refusal::{DAMAGED, of_vault};
use super::view::{BackupAction, BackupView, ErrorView, Found, ProgressView, is_cancelled};
use crate::master::backups::{BackupRecord, BackupState};
use crate::operations::runs::joined;
use crate::operations::{Caller, OperationError, Operations, Recording, RefusalCode};

/// A backup that is being made shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// A hundred years.
const LONGEST_RETENTION: u32 = 36_500;
/// A description is a note and no document, characters.
const LONGEST_DESCRIPTION: usize = 1_000;
/// PostgreSQL's names are not longer, bytes.
const LONGEST_NAME: usize = 63;

/// Back up an environment.
#[derive(Debug, Clone, Default)]
pub struct BackupOrder {
    /// Which environment; `None` is the default one.
    pub environment: Option<String>,
    /// Which services; none is the whole database.
    pub services: Vec<String>,
    /// What it is for.
    pub description: Option<String>,
    /// How long to keep it, days; `None` is what the rules say.
    pub retention_days: Option<u32>,
}

/// Restore a backup into a new database.
#[derive(Debug, Clone, Default)]
pub struct RestoreOrder {
    /// Which backup.
    pub id: String,
    /// On the server of which environment; `None` is the backup's own.
    pub environment: Option<String>,
    /// The new database's name; `None` is one made of the backup's.
    pub into: Option<String>,
    /// The backup's id once more.
    pub confirm: Option<String>,
}

impl Operations {
    /// Starts a backup. When this returns, the database answers, PostgreSQL's programs fit and the storage is open; it goes on
    /// whether or not anybody listens.
    ///
    /// # Errors
    /// Unknown names; a database, a storage or a program that is missing: nothing was begun.
    pub async fn start_backup(&self, order: BackupOrder, caller: &Caller) -> Result<BackupHandle, OperationError> {
        // A task of its own: a listener who goes away in the middle must not leave it half started.
        let (this, caller) = (self.clone(), caller.clone());
        joined(tokio::spawn(async move { this.start_backup_here(order, &caller).await })).await
    }

    async fn start_backup_here(&self, order: BackupOrder, caller: &Caller) -> Result<BackupHandle, OperationError> {
        let scope = self.scope_of(&order, caller)?;
        let target = self.target(order.environment.as_deref())?.clone();
        let vault = self.vault()?;
        self.check_tools(&target).await?;
        let label = match scope.services.as_slice() {
            [one] => one,
            _ => &target.environment,
        };
        let started_at = OffsetDateTime::now_utc();
        let id = BackupId::generate(started_at, label).map_err(of_vault)?;
        let record = BackupRecord {
            id: id.to_string(),
            storage: vault.storage().shown().to_owned(),
            environment: target.environment.clone(),
            services: scope.services.clone(),
            description: order.description.clone(),
            retention_days: order.retention_days.and_then(|days| days.try_into().ok()),
            state: BackupState::Running,
            actor: caller.actor.to_string(),
            request_id: caller.request_id.clone(),
            started_at,
            finished_at: None,
            progress: None,
            stored_bytes: None,
            manifest_sha256: None,
            error: None,
            verified_at: None,
            verification_ms: None,
            findings: Vec::new(),
            deleted_at: None,
            deleted_by: None,
        };
        self.keep(&record).await?;
        let job = BackupHandle::new(&record.id, BackupAction::Create, caller, None, Some(record.clone()));
        self.begin(&job)?;
        let request = MakeRequest {
            id,
            environment: target.environment.clone(),
            scope,
            description: order.description,
            made_by: record.actor.clone(),
            retention_days: order.retention_days,
        };
        let (progress, cancel) = (job.0.progress.clone(), job.0.cancel.clone());
        let making = async move { vault.make(&target.connect, request, &progress, &cancel).await };
        self.carry(&job, making, |this, job, made| this.made(job, record, made));
        Ok(job)
    }

    /// What an order covers.
    fn scope_of(&self, order: &BackupOrder, caller: &Caller) -> Result<Scope, OperationError> {
        let invalid = |message: String, cure: &str| {
            Err(OperationError::refuse(RefusalCode::InvalidRequest, message).with_cure(cure))
        };
        if order.services.is_empty() {
            caller.check(None)?;
        }
        if order.retention_days.is_some_and(|days| !(1..=LONGEST_RETENTION).contains(&days)) {
            return invalid(
                format!("the retention is not 1 to {LONGEST_RETENTION} days"),
                "leave it out to keep the backup as the rules say",
            );
        }
        if order.description.as_ref().is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
            return invalid(
                format!("the description has more than {LONGEST_DESCRIPTION} characters"),
                "say it in fewer words",
            );
        }
        let mut scope = Scope::default();
        for name in &order.services {
            caller.check(Some(name))?;
            if !scope.services.contains(name) {
                scope.schemas.extend(self.catalogue().service(name)?.schemas.iter().cloned());
                scope.services.push(name.clone());
            }
        }
        if !scope.services.is_empty() && scope.schemas.is_empty() {
            let message = format!("{} has no schemas, so there is nothing to back up", scope.services.join(", "));
            return invalid(message, "name a service with schemas, or none for the whole database");
        }
        Ok(scope)
    }

    /// Asks the database for its version, and whether there are programs that fit it.
    async fn check_tools(&self, target: &Target) -> Result<(), OperationError> {
        let session = postgres_link::connect(&target.connect.clone().with_application_name("profe backup")).await;
        let version = session.map_err(|error| OperationError::from(error).on(target))?.server_version_num() / 10_000;
        let variables = self.backup_place().map(|place| place.variables().clone());
        let look = move |name: &str| variables.as_ref().and_then(|variables| variables(name));
        // It starts the programs to ask them.
        let found = tokio::task::spawn_blocking(move || Tools::for_server(&look, version).map(drop)).await;
        found.unwrap_or(Ok(())).map_err(|error| of_vault(error.into()))
    }

    async fn made(self, job: BackupHandle, record: BackupRecord, made: Result<Manifest, VaultError>) -> End {
        let made = made.map_err(|error| self.refused(error));
        let mut record = BackupRecord { finished_at: Some(OffsetDateTime::now_utc()), progress: None, ..record };
        match &made {
            Ok(manifest) => {
                record.state = BackupState::Ready;
                record.stored_bytes = i64::try_from(manifest.stored_bytes()).ok();
                record.manifest_sha256 = Some(manifest.sha256.clone());
            }
            Err(error) => {
                record.state = if is_cancelled(error) { BackupState::Cancelled } else { BackupState::Failed };
                record.error = serde_json::to_value(ErrorView::from(error)).ok();
                tracing::warn!(backup = %record.id, %error, "the backup was not made");
            }
        }
        self.note(&record).await;
        job.keep(record);
        made.map(|_| Done::Made)
    }

    /// Starts a verification: the backup is restored into a scratch database on its environment's server, and compared.
    ///
    /// # Errors
    /// No such backup, one that somebody works on, a database that is away. What is wrong with the backup is no error; the
    /// backup says it afterwards.
    pub async fn start_verification(&self, id: &str, caller: &Caller) -> Result<BackupHandle, OperationError> {
        let vault = self.vault()?;
        let (found, stored) = self.stored(&vault, id, caller).await?;
        let environment = found.environment().map(str::to_owned);
        let target = self.target(environment.as_deref())?.clone();
        let record = found.record.clone().or_else(|| found.manifest().map(|m| record_of(&vault, m)));
        let job = BackupHandle::new(&found.id, BackupAction::Verify, caller, None, None);
        self.begin(&job)?;
        let edited = found.damage();
        let (progress, cancel) = (job.0.progress.clone(), job.0.cancel.clone());
        let verifying = async move {
            match edited {
                // Nothing that it says of itself can be compared with.
                Some(reason) => Ok(Verification {
                    id: stored,
                    at: OffsetDateTime::now_utc(),
                    duration_ms: 0,
                    findings: vec![reason],
                }),
                None => Box::pin(vault.verify(&stored, &target.connect, &progress, &cancel)).await,
            }
        };
        self.carry(&job, verifying, |this, job, verified| this.verified(job, record, verified));
        Ok(job)
    }

    async fn verified(
        self,
        job: BackupHandle,
        record: Option<BackupRecord>,
        verified: Result<Verification, VaultError>,
    ) -> End {
        let verification = verified.map_err(|error| self.refused(error))?;
        if !verification.holds() {
            tracing::error!(backup = job.id(), findings = ?verification.findings, "a backup cannot be restored as it was");
        }
        if let Some(record) = record {
            let record = BackupRecord {
                verified_at: Some(verification.at),
                verification_ms: i64::try_from(verification.duration_ms).ok(),
                findings: verification.findings.clone(),
                ..record
            };
            self.note(&record).await;
            job.keep(record);
        }
        Ok(Done::Verified)
    }

    /// Starts a restore into a new database, which is there under its name when all of it is there.
    ///
    /// # Errors
    /// No such backup, no confirmation, one that somebody works on, a database of that name, a database that is away.
    pub async fn start_restore(&self, order: RestoreOrder, caller: &Caller) -> Result<BackupHandle, OperationError> {
        let vault = self.vault()?;
        let (found, stored) = self.stored(&vault, &order.id, caller).await?;
        confirmed(&order.id, order.confirm.as_deref(), "restoring it")?;
        if let Some(reason) = found.damage() {
            return Err(OperationError::refuse(RefusalCode::BackupDamaged, format!("backup {}: {reason}", found.id))
                .with_cure(DAMAGED));
        }
        let target = self.target(order.environment.as_deref().or(found.environment()))?.clone();
        let into = order.into.unwrap_or_else(|| default_name(&found.id));
        check_name(&into)?;
        let job = BackupHandle::new(&found.id, BackupAction::Restore, caller, Some(into.clone()), None);
        self.begin(&job)?;
        tracing::info!(backup = %found.id, environment = target.environment, database = into, actor = %caller.actor, "a restore begins");
        let (progress, cancel) = (job.0.progress.clone(), job.0.cancel.clone());
        let restoring =
            async move { vault.restore_into_new(&stored, &target.connect, &into, &progress, &cancel).await };
        self.carry(&job, restoring, async move |this: Self, _, restored| {
            restored.map(Done::Restored).map_err(|error| this.refused(error))
        });
        Ok(job)
    }

    /// Deletes a backup for good.
    ///
    /// # Errors
    /// No such backup, no confirmation, one that somebody works on.
    pub async fn delete_backup(
        &self,
        id: &str,
        confirm: Option<&str>,
        caller: &Caller,
    ) -> Result<BackupView, OperationError> {
        let vault = self.vault()?;
        let (mut found, stored) = self.stored(&vault, id, caller).await?;
        confirmed(id, confirm, "deleting it")?;
        if let Some(job) = found.job.as_ref().filter(|job| !job.is_over()) {
            return Err(busy(job));
        }
        let kept = found.record.clone().or_else(|| found.manifest().map(|m| record_of(&vault, m)));
        // Once it is gone nobody else can tell who has deleted it.
        if let Some(record) = kept {
            let record = BackupRecord {
                state: BackupState::Deleted,
                deleted_at: Some(OffsetDateTime::now_utc()),
                deleted_by: Some(caller.actor.to_string()),
                ..record
            };
            found.record = Some(record);
        }
        vault.delete(&stored).await.map_err(|error| self.refused(error))?;
        tracing::info!(backup = %found.id, actor = %caller.actor, "a backup was deleted");
        if let Some(record) = &found.record {
            self.note(record).await;
        }
        self.0.backup_jobs.forget(&found.id);
        (found.manifest, found.job) = (None, None);
        Ok(found.view())
    }

    /// Stops what this process does with a backup.
    ///
    /// # Errors
    /// No such backup; nothing is being done with it; another process makes it.
    pub async fn cancel_backup(&self, id: &str, caller: &Caller) -> Result<BackupView, OperationError> {
        let found = self.look_up(&self.vault()?, id).await?;
        check(caller, &found)?;
        if let Some(job) = found.job.as_ref().filter(|job| !job.is_over()) {
            job.cancel();
            return Ok(found.view());
        }
        let elsewhere = found.record.as_ref().is_some_and(|record| record.state == BackupState::Running);
        Err(if elsewhere {
            OperationError::refuse(RefusalCode::BackupIsElsewhere, format!("another process makes the backup {id}"))
                .with_cure("stop it where it was started (Ctrl-C in that terminal, or that copy of the service)")
        } else {
            OperationError::refuse(RefusalCode::BackupIsIdle, format!("nothing is being done with the backup {id}"))
                .with_cure("look at the backup itself for how it ended")
        })
    }

    /// One that is in the storage, with its folder there.
    async fn stored(&self, vault: &Vault, id: &str, caller: &Caller) -> Result<(Found, BackupId), OperationError> {
        let found = self.look_up(vault, id).await?;
        check(caller, &found)?;
        let folder = BackupId::from_str(&found.id).ok().filter(|_| found.manifest.is_some());
        match folder {
            Some(folder) => Ok((found, folder)),
            None => Err(found.job.as_ref().filter(|job| !job.is_over()).map_or_else(
                || {
                    let message = format!("the backup {id} is not in the storage: {}", found.view().status.as_str());
                    OperationError::refuse(RefusalCode::UnknownBackup, message)
                        .with_cure("list the backups to find one that is")
                },
                busy,
            )),
        }
    }

    fn begin(&self, job: &BackupHandle) -> Result<(), OperationError> {
        self.0.backup_jobs.begin(job).map_err(|other| busy(&other))
    }

    /// Lets `work` go on by itself, and `then` write down what came of it.
    fn carry<T, W, E>(
        &self,
        job: &BackupHandle,
        work: W,
        then: impl FnOnce(Self, BackupHandle, Result<T, VaultError>) -> E + Send + 'static,
    ) where
        T: Send + 'static,
        W: Future<Output = Result<T, VaultError>> + Send + 'static,
        E: Future<Output = End> + Send,
    {
        let (this, job) = (self.clone(), job.clone());
        tokio::spawn(async move {
            // A panic in it ends the job and nothing else.
            let mut working = tokio::spawn(work);
            let worked = loop {
                tokio::select! {
                    worked = &mut working => break worked,
                    () = tokio::time::sleep(HEARTBEAT) => this.heartbeat(&job).await,
                }
            };
            let end = match worked {
                Ok(worked) => then(this.clone(), job.clone(), worked).await,
                Err(_) => {
                    Err(EngineError::new(ErrorCode::Internal, "the program broke down while it worked on the backup")
                        .cure("see the program's log, and try again")
                        .into())
                }
            };
            job.over(end);
            this.0.backup_jobs.retire(job.id());
        });
    }

    async fn heartbeat(&self, job: &BackupHandle) {
        if job.0.action == BackupAction::Create
            && let Ok(progress) = serde_json::to_value(ProgressView::from(&*job.0.progress))
            && let Err(error) = self.master().backup_lives(job.id(), &progress).await
        {
            tracing::warn!(backup = job.id(), %error, "the backup's progress could not be written to the master database");
        }
    }

    /// Writes down what begins; for the service before it does.
    async fn keep(&self, record: &BackupRecord) -> Result<(), OperationError> {
        match self.master().keep_backup(record).await {
            Err(error) if self.0.recording == Recording::First => Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "the backup is not recorded in the master database; the storage has it");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Writes down what is done already.
    async fn note(&self, record: &BackupRecord) {
        if let Err(error) = self.master().keep_backup(record).await {
            tracing::error!(backup = %record.id, %error, "what became of the backup could not be written to the master database");
        }
    }
}

/// What can be known of one that was made through another master database.
fn record_of(vault: &Vault, manifest: &Manifest) -> BackupRecord {
    BackupRecord {
        id: manifest.id.to_string(),
        storage: vault.storage().shown().to_owned(),
        environment: manifest.environment.clone(),
        services: manifest.scope.services.clone(),
        description: manifest.description.clone(),
        retention_days: manifest.retention_days.and_then(|days| days.try_into().ok()),
        state: BackupState::Ready,
        actor: manifest.made_by.clone(),
        request_id: None,
        started_at: manifest.created_at,
        finished_at: Some(manifest.finished_at),
        progress: None,
        stored_bytes: i64::try_from(manifest.stored_bytes()).ok(),
        manifest_sha256: Some(manifest.sha256.clone()),
        error: None,
        verified_at: None,
        verification_ms: None,
        findings: Vec::new(),
        deleted_at: None,
        deleted_by: None,
    }
}

fn busy(job: &BackupHandle) -> OperationError {
    let message = format!("the backup {} is being {}", job.id(), job.0.action.participle());
    OperationError::refuse(RefusalCode::BackupBusy, message).with_cure("wait until that is over, or cancel it")
}

fn confirmed(id: &str, confirm: Option<&str>, doing: &str) -> Result<(), OperationError> {
    if confirm == Some(id) {
        return Ok(());
    }
    let message = format!("{doing} needs the backup's id once more");
    Err(OperationError::refuse(RefusalCode::ConfirmationRequired, message)
        .with_cure(format!("repeat it: \"confirm\": {id:?}")))
}

fn default_name(id: &str) -> String {
    format!("restored_{}", id.replace('-', "_")).chars().take(LONGEST_NAME).collect()
}

fn check_name(name: &str) -> Result<(), OperationError> {
    let is_one = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && !name.chars().any(char::is_control)
        && !name.to_ascii_lowercase().starts_with("pg_")
        && name.trim() == name;
    if is_one {
        return Ok(());
    }
    let message = "the name of the new database is none that PostgreSQL takes";
    Err(OperationError::refuse(RefusalCode::InvalidRequest, message)
        .with_cure(format!("give a name of 1 to {LONGEST_NAME} letters that does not begin with pg_")))
}
