//! Finding out whether a backup can be restored.

use backup_vault::{VaultError, Verification};

use super::carry::record_of;
use super::job::{BackupHandle, Done, End, Subject};
use super::job_view::BackupAction;
use crate::master::backups::{BackupRecord, BackupState};
use crate::operations::{Caller, OperationError, Operations};

impl Operations {
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
        let subject = Subject { environment, services: found.services().unwrap_or_default().to_vec() };
        let at = self.master().now();
        let job = BackupHandle::new(&found.id, BackupAction::Verify, (caller, subject, at), None, None);
        self.begin(&job)?;
        let edited = found.damage();
        let (progress, cancel) = (job.0.progress.clone(), job.0.cancel.clone());
        let verifying = async move {
            match edited {
                // Nothing that it says of itself can be compared with.
                Some(reason) => Ok(Verification { id: stored, at, duration_ms: 0, findings: vec![reason] }),
                None => Box::pin(vault.verify(&stored, &target.connect, &progress, &cancel)).await,
            }
        };
        let sha256 = found.manifest().map(|manifest| manifest.sha256.clone());
        self.carry(&job, verifying, |this, job, verified| this.verified(job, (record, sha256), verified));
        Ok(job)
    }

    async fn verified(
        self,
        job: BackupHandle,
        (record, sha256): (Option<BackupRecord>, Option<String>),
        verified: Result<Verification, VaultError>,
    ) -> End {
        let verification = verified.map_err(|error| self.refused(error))?;
        if !verification.holds() {
            tracing::error!(backup = job.id(), findings = ?verification.findings, "a backup cannot be restored as it was");
        }
        if let Some(record) = record {
            // It is in the storage, whatever was thought when it was made.
            let record = BackupRecord {
                state: BackupState::Ready,
                error: None,
                manifest_sha256: record.manifest_sha256.or(verification.holds().then_some(sha256).flatten()),
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
}
