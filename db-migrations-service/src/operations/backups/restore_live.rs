//! Restoring into the environment's own database: its schemas in place, or single tables beside the live ones.

use backup_vault::archive::TableName;
use backup_vault::{InPlace, InPlaceRestore, Scope};
use migration_engine::{RUN_LOCK, Target, WORK_LOCK, audit};
use uuid::Uuid;

use super::job::{BackupHandle, Done, Restoring};
use super::make::BackupOrder;
use super::refusal::cancelled;
use super::restore::Restore;
use crate::master::restores::RestoreKind;
use crate::operations::{Caller, OperationError, Operations};

/// How long the backup of what was there before is kept, days.
const SAFETY_RETENTION: u32 = 30;

impl Operations {
    /// Nothing but a migration or another restore is refused once this returns: what speaks against it was looked for.
    pub(super) async fn restore_in_place(&self, restore: Restore<'_>) -> Result<BackupHandle, OperationError> {
        let mut record = restore.record(RestoreKind::InPlace, restore.target.connect.database());
        let place = place(&restore, record.id);
        let stages = place.stages.clone();
        let begun = restore.vault.begin_in_place(restore.backup(), place).await;
        let begun = begun.map_err(|error| self.refused(error).on(&restore.target))?;
        record.schemas = begun.schemas().to_vec();
        let job = self.begin_restore(&restore, Restoring::new(record, stages, Vec::new())).await?;
        let (this, going, caller) = (self.clone(), job.clone(), restore.caller.clone());
        let (target, scope) = (restore.target, restore.manifest.scope);
        let work = async move { Box::pin(this.replace(&going, begun, &target, scope, &caller)).await };
        self.carry(&job, work, async move |this: Self, job, end| this.restored(&job, end).await);
        Ok(job)
    }

    /// What is there is backed up; then it is replaced.
    async fn replace(
        &self,
        job: &BackupHandle,
        begun: InPlaceRestore,
        target: &Target,
        scope: Scope,
        caller: &Caller,
    ) -> Result<Done, OperationError> {
        let order = BackupOrder {
            description: Some(format!("Before the restore in place of {}", job.id())),
            retention_days: Some(SAFETY_RETENTION),
            ..BackupOrder::default()
        };
        let failed =
            |error: OperationError| error.while_doing("what is there could not be backed up, so nothing was restored");
        let safety = self.start_backup_of(target, scope, order, caller).await.map_err(failed)?;
        if let Some(restoring) = &job.0.restoring {
            let record = restoring.change(|record| record.safety_backup = Some(safety.id().to_owned()));
            self.note_restore(&record).await;
        }
        let Some(made) = job.0.cancel.run_until_cancelled(safety.finished()).await else {
            safety.cancel();
            // It says that it was cancelled, or it was made in the meantime; both are no news.
            let _ = safety.finished().await;
            return Err(cancelled());
        };
        made.map_err(failed)?;
        let swapped = begun.finish(&job.0.progress, &job.0.cancel).await;
        swapped.map(|_| Done::InPlace).map_err(|error| self.refused(error))
    }

    pub(super) async fn restore_tables(
        &self,
        restore: Restore<'_>,
        tables: &[TableName],
    ) -> Result<BackupHandle, OperationError> {
        let mut record = restore.record(RestoreKind::Tables, restore.target.connect.database());
        let place = place(&restore, record.id);
        let stages = place.stages.clone();
        let begun = restore.vault.begin_tables(restore.backup(), tables, place).await;
        let begun = begun.map_err(|error| self.refused(error).on(&restore.target))?;
        let tables = begun.tables();
        record.tables = tables.iter().map(|table| table.restored_as.to_string()).collect();
        let job = self.begin_restore(&restore, Restoring::new(record, stages, tables)).await?;
        let (progress, cancel) = (job.0.progress.clone(), job.0.cancel.clone());
        let work = async move { Box::pin(begun.finish(&progress, &cancel)).await };
        self.carry(&job, work, async move |this: Self, job, restored| {
            let end = restored.map(|_| Done::InPlace).map_err(|error| this.refused(error));
            this.restored(&job, end).await
        });
        Ok(job)
    }
}

/// The environment's own database, and how its migrations and its audit take the restore.
fn place(restore: &Restore<'_>, number: Uuid) -> InPlace {
    InPlace {
        marker: Some(audit::told_by_caller(number)),
        number: Some(number),
        actor: restore.caller.actor.to_string(),
        ..InPlace::new(restore.target.connect.clone(), RUN_LOCK, WORK_LOCK)
    }
}
