//! Looking backups up: the storage, the master database and this process's jobs, brought together.

use std::collections::HashMap;
use std::sync::Arc;

use backup_vault::storage::StorageError;
use backup_vault::{BackupId, Vault, VaultError};

use super::job::BackupHandle;
use super::place::unconfigured;
use super::refusal::of_vault;
use super::view::{BackupStatus, BackupView, Found};
use crate::master::backups::BackupRecord;
use crate::operations::{Caller, MasterError, OperationError, Operations, Recording, RefusalCode};

/// Which backups to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct BackupFilter {
    /// Only of these databases, as environments are named.
    pub environments: Option<Vec<String>>,
    /// Only those that have this service: its own, and those of whole databases.
    pub service: Option<String>,
    /// Only these; `None` is what is in the storage, and what is being made.
    pub status: Option<BackupStatus>,
    /// Only older than this one.
    pub before: Option<String>,
    /// At most so many.
    pub limit: usize,
}

impl BackupFilter {
    fn takes(&self, view: &BackupView) -> bool {
        let has = |service: &String| view.services.is_empty() || view.services.contains(service);
        self.environments.as_ref().is_none_or(|names| names.contains(&view.environment))
            && self.service.as_ref().is_none_or(has)
            && self.status.map_or(view.status.is_listed(), |status| status == view.status)
    }
}

impl Operations {
    /// A page of backups, newest first, without those of services that the caller may not touch; and how many there are on all
    /// pages.
    ///
    /// # Errors
    /// Unknown names; no storage, or one that cannot be read; for the service, a master database that is away.
    pub async fn backups(
        &self,
        filter: &BackupFilter,
        caller: &Caller,
    ) -> Result<(Vec<BackupView>, usize), OperationError> {
        self.known_service(filter.service.as_deref())?;
        let vault = self.vault()?;
        let (listed, records) = tokio::join!(vault.list(), self.kept(&vault));
        let (listed, records) = (listed.map_err(|error| self.refused(error))?, records?);
        let mut records: HashMap<String, BackupRecord> =
            records.into_iter().map(|record| (record.id.clone(), record)).collect();
        let mut found: Vec<Found> = listed
            .into_iter()
            .map(|one| {
                let record = records.remove(one.id.as_str());
                self.found(one.id.to_string(), record, Some(one.manifest))
            })
            .collect();
        found.extend(records.into_values().map(|record| self.found(record.id.clone(), Some(record), None)));
        let mut views: Vec<BackupView> = found
            .iter()
            .filter(|found| may_touch(caller, found))
            .map(Found::view)
            .filter(|view| filter.takes(view))
            .collect();
        // An id has the second, and two can be made in one.
        views.sort_by(|a, b| (b.created_at, &b.backup_id).cmp(&(a.created_at, &a.backup_id)));
        let total = views.len();
        let begin = filter.before.as_ref().map_or(0, |before| {
            let last = views.iter().position(|view| view.backup_id == *before);
            // It was deleted meanwhile: ids grow with time.
            last.map_or_else(|| views.partition_point(|view| view.backup_id >= *before), |last| last + 1)
        });
        Ok((views.into_iter().skip(begin).take(filter.limit).collect(), total))
    }

    /// One backup, whatever became of it.
    ///
    /// # Errors
    /// There is none of this id; one of services that the caller may not touch.
    pub async fn backup(&self, id: &str, caller: &Caller) -> Result<BackupView, OperationError> {
        let vault = self.vault()?;
        let mut found = self.look_up(&vault, id).await?;
        check(caller, &found)?;
        let read = async {
            self.master().settle_restores().await?;
            self.master().restores(vault.storage().shown(), id).await
        };
        found.restores = self.or_without(read.await)?;
        Ok(found.view())
    }

    /// What this process does with a backup, or did last.
    pub fn backup_job(&self, id: &str) -> Option<BackupHandle> {
        self.0.backup_jobs.get(id)
    }

    /// The storage of backups, open; time is the master database's there too.
    pub(crate) fn vault(&self) -> Result<Vault, OperationError> {
        let place = self.backup_place().ok_or_else(unconfigured)?;
        let vault = place.vault().map_err(|error| self.hidden(error, place.url().unwrap_or_default()))?;
        let master = self.master().clone();
        Ok(vault.with_clock(Arc::new(move || master.now())))
    }

    /// What stopped the storage, or a program of PostgreSQL's.
    pub(in crate::operations) fn refused(&self, error: VaultError) -> OperationError {
        let shown = self.vault().map(|vault| vault.storage().shown().to_owned()).unwrap_or_default();
        self.hidden(of_vault(error), &shown)
    }

    /// Where the storage is, is the server's own business; the log has it.
    fn hidden(&self, error: OperationError, place: &str) -> OperationError {
        match error {
            OperationError::Refused { code, message, cure }
                if self.0.recording == Recording::First && !place.is_empty() =>
            {
                if message.contains(place) {
                    tracing::warn!(%message, "the storage of backups");
                }
                OperationError::Refused { code, message: message.replace(place, "the backup storage"), cure }
            }
            other => other,
        }
    }

    /// What the master database has of a storage. A command goes on without it: in an emergency there may be nothing but the storage.
    pub(super) async fn kept(&self, vault: &Vault) -> Result<Vec<BackupRecord>, OperationError> {
        let read = async {
            self.master().settle_backups().await?;
            self.master().backups(vault.storage().shown()).await
        };
        self.or_without(read.await)
    }

    fn or_without<T: Default>(&self, read: Result<T, MasterError>) -> Result<T, OperationError> {
        match read {
            Err(error) if self.0.recording == Recording::Alongside => {
                tracing::warn!(%error, "the master database is away: what is shown is what the storage has");
                Ok(T::default())
            }
            other => Ok(other?),
        }
    }

    /// All that is known of the backup of this name.
    pub(super) async fn look_up(&self, vault: &Vault, id: &str) -> Result<Found, OperationError> {
        let name: BackupId = id.parse().map_err(|error: backup_vault::manifest::NotAnId| self.refused(error.into()))?;
        let read = async {
            self.master().settle_backups().await?;
            self.master().backup(vault.storage().shown(), id).await
        };
        let kept = self.or_without(read.await)?;
        let record = kept.or_else(|| self.0.backup_jobs.get(id).and_then(|job| job.record()));
        let manifest = match vault.manifest(&name).await {
            Ok(manifest) => Some(Ok(manifest)),
            Err(VaultError::Manifest { source, .. }) => Some(Err(source.to_string())),
            Err(VaultError::Unknown(_)) => None,
            Err(error @ VaultError::Storage(StorageError::Damaged { .. })) => Some(Err(error.to_string())),
            Err(error) => return Err(self.refused(error)),
        };
        if record.is_none() && manifest.is_none() {
            let message = format!("there is no backup {id}");
            return Err(OperationError::refuse(RefusalCode::UnknownBackup, message)
                .with_cure("list the backups to find its id"));
        }
        Ok(self.found(id.to_owned(), record, manifest))
    }

    fn found(
        &self,
        id: String,
        record: Option<BackupRecord>,
        manifest: Option<Result<backup_vault::Manifest, String>>,
    ) -> Found {
        let job = self.0.backup_jobs.get(&id);
        Found { id, record, manifest, job, restores: Vec::new() }
    }
}

/// Of a whole database, or of nobody knows what, only who may touch all services.
fn may_touch(caller: &Caller, found: &Found) -> bool {
    check(caller, found).is_ok()
}

pub(super) fn check(caller: &Caller, found: &Found) -> Result<(), OperationError> {
    match found.services() {
        None | Some([]) => caller.check(None),
        Some(services) => services.iter().try_for_each(|service| caller.check(Some(service))),
    }
}
