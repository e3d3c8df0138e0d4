//! When backups are made and which are kept, as the catalogue says it for each environment.

mod before_run;
mod covering;
mod prune;
mod schedule;

pub(in crate::operations) use before_run::{Cover, Covering};
pub(crate) use covering::restore_command;
pub use prune::{PruneOrder, PruneView, PrunedBackup};
pub use schedule::Fired;

use migration_engine::catalogue::Environment;

use super::BackupHandle;
use super::view::VerificationStatus;
use crate::operations::{Caller, OperationError, Operations};

impl Operations {
    /// Whether a backup of this environment is verified as soon as it is made.
    pub fn verifies_backups(&self, environment: &str) -> bool {
        self.catalogue().environments.get(environment).is_some_and(Environment::verifies_backups)
    }

    /// Verifies what `making` makes, once it is made, where the environment says so. It goes on by itself; what a verification
    /// finds stands with the backup and in the log.
    pub fn verify_when_made(&self, making: &BackupHandle, caller: &Caller) {
        let environment = making.record().map(|record| record.environment).unwrap_or_default();
        if self.verifies_backups(&environment) {
            let (this, making, caller) = (self.clone(), making.clone(), caller.clone());
            tokio::spawn(async move {
                if making.finished().await.is_ok()
                    && let Err(error) = this.verify_now(making.id(), &caller).await
                {
                    tracing::error!(backup = making.id(), %error, "the backup could not be verified");
                }
            });
        }
    }

    /// Verifies a backup and says whether it can be restored as it was.
    async fn verify_now(&self, id: &str, caller: &Caller) -> Result<bool, OperationError> {
        self.start_verification(id, caller).await?.finished().await?;
        Ok(self.backup(id, caller).await?.verification.status == VerificationStatus::Verified)
    }
}
