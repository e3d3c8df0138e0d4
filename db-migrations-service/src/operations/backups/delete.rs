//! Deleting a backup, and stopping what is done with one.

use super::carry::{busy, confirmed, record_of};
use super::find::check;
use super::view::BackupView;
use crate::master::backups::{BackupRecord, BackupState};
use crate::operations::{Caller, OperationError, Operations, RefusalCode};

impl Operations {
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
                deleted_at: Some(self.master().now()),
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
}
