//! Backups whose process ended before they were made, made anew by another copy.

use kernel::Actor;
use serde_json::json;

use super::make::BackupOrder;
use crate::master::takeover::LeftBackup;
use crate::operations::{Caller, OperationError, Operations};

/// So many times a backup that takes its process with it is begun anew.
pub(crate) const MOST_TIMES: i32 = 3;

impl Operations {
    /// Makes anew, under names of their own, the backups that others left behind. One that was begun by a copy that died before it
    /// could say so is made twice, which costs room and nothing else.
    pub(in crate::operations) async fn make_left_backups(&self) -> Result<(), OperationError> {
        // Where backups have no place, none was begun; where it cannot be opened, none can be.
        let Ok(vault) = self.vault() else { return Ok(()) };
        while let Some(left) = self.master().take_left_backup(vault.storage().shown()).await? {
            let old = left.id.clone();
            let actor = serde_json::from_value(json!(left.actor)).unwrap_or_else(|_| Actor::system("takeover"));
            let caller = Caller { request_id: left.request_id.clone(), ..Caller::unrestricted(actor) };
            match self.start_backup(left.into(), &caller).await {
                Ok(job) => {
                    self.master().backup_goes_on_as(&old, job.id()).await?;
                    self.verify_when_made(&job, &caller);
                    tracing::warn!(backup = old, continued_by = job.id(), "a backup that was left behind is made anew");
                }
                Err(error) => tracing::warn!(backup = old, %error, "a backup that was left behind cannot be made yet"),
            }
        }
        Ok(())
    }
}

impl From<LeftBackup> for BackupOrder {
    fn from(left: LeftBackup) -> Self {
        Self {
            environment: Some(left.environment),
            services: left.services,
            description: left.description,
            retention_days: left.retention_days.and_then(|days| days.try_into().ok()),
            goes_on: left.goes_on - 1,
        }
    }
}
