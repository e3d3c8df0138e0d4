//! What all work on a backup shares: it goes on by itself, one at a time for each backup, and is written down.

use std::future::Future;
use std::str::FromStr;
use std::time::Duration;

use backup_vault::{BackupId, Manifest, Vault};
use migration_engine::{EngineError, ErrorCode};

use super::find::check;
use super::job::{BackupHandle, End};
use super::job_view::{BackupAction, JobStatus, is_cancelled};
use super::view::Found;
use crate::master::backups::{BackupRecord, BackupState};
use crate::operations::{Caller, OperationError, Operations, Recording, RefusalCode};

/// Work that is under way shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(10);

impl Operations {
    /// One that is in the storage, with its folder there.
    pub(super) async fn stored(
        &self,
        vault: &Vault,
        id: &str,
        caller: &Caller,
    ) -> Result<(Found, BackupId), OperationError> {
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

    pub(super) fn begin(&self, job: &BackupHandle) -> Result<(), OperationError> {
        self.0.backup_jobs.begin(job).map_err(|other| busy(&other))
    }

    /// Lets `work` go on by itself, and `then` write down what came of it.
    pub(super) fn carry<W, E>(
        &self,
        job: &BackupHandle,
        work: W,
        then: impl FnOnce(Self, BackupHandle, W::Output) -> E + Send + 'static,
    ) where
        W: Future<Output: Send + 'static> + Send + 'static,
        E: Future<Output = End> + Send,
    {
        let (this, job) = (self.clone(), job.clone());
        tokio::spawn(async move {
            this.tell_of_job(&job, None).await;
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
            let outcome = match &end {
                Ok(_) => JobStatus::Completed,
                Err(error) if is_cancelled(error) => JobStatus::Cancelled,
                Err(_) => JobStatus::Failed,
            };
            this.monitor().meters().backup_ended(job.0.action, outcome, job.0.begun.elapsed());
            if let Err(error) = this.monitor().meters().settle(this.master()).await {
                tracing::debug!(%error, "the work on the backup could not be counted in the master database");
            }
            this.tell_of_job(&job, Some(&end)).await;
            job.over(end);
            this.0.backup_jobs.retire(job.id());
        });
    }

    async fn heartbeat(&self, job: &BackupHandle) {
        let progress = serde_json::to_value(job.progress()).unwrap_or_default();
        let told = match (job.0.action, &job.0.restoring) {
            (BackupAction::Create, _) => self.master().backup_lives(job.id(), &progress).await,
            (_, Some(restoring)) => self.master().restore_lives(restoring.record().id).await,
            _ => Ok(()),
        };
        if let Err(error) = told {
            tracing::warn!(backup = job.id(), %error, "the sign of life could not be written to the master database");
        }
    }

    /// Writes down what begins; for the service before it does.
    pub(super) async fn keep(&self, record: &BackupRecord) -> Result<(), OperationError> {
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
    pub(super) async fn note(&self, record: &BackupRecord) {
        if let Err(error) = self.master().keep_backup(record).await {
            tracing::error!(backup = %record.id, %error, "what became of the backup could not be written to the master database");
        }
    }
}

/// What can be known of one that was made through another master database.
pub(super) fn record_of(vault: &Vault, manifest: &Manifest) -> BackupRecord {
    let (environment, services) = (manifest.environment.clone(), manifest.scope.services.clone());
    let (storage, actor) = (vault.storage().shown(), manifest.made_by.clone());
    BackupRecord {
        description: manifest.description.clone(),
        retention_days: manifest.retention_days.and_then(|days| days.try_into().ok()),
        state: BackupState::Ready,
        finished_at: Some(manifest.finished_at),
        stored_bytes: i64::try_from(manifest.stored_bytes()).ok(),
        manifest_sha256: Some(manifest.sha256.clone()),
        ..BackupRecord::begun(manifest.id.to_string(), storage, environment, services, actor, manifest.created_at)
    }
}

pub(super) fn busy(job: &BackupHandle) -> OperationError {
    let message = format!("the backup {} is being {}", job.id(), job.0.action.participle());
    OperationError::refuse(RefusalCode::BackupBusy, message).with_cure("wait until that is over, or cancel it")
}

pub(super) fn confirmed(id: &str, confirm: Option<&str>, doing: &str) -> Result<(), OperationError> {
    if confirm == Some(id) {
        return Ok(());
    }
    let message = format!("{doing} needs the backup's id once more");
    Err(OperationError::refuse(RefusalCode::ConfirmationRequired, message)
        .with_cure(format!("repeat it: \"confirm\": {id:?}")))
}
