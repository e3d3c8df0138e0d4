//! Deleting what no rule keeps, and sweeping away what never became a backup.

use std::collections::HashSet;

use backup_vault::retention::{Kept, Retention, Verdict, judge};
use backup_vault::{Scope, Swept};
use migration_engine::catalogue::BackupSettings;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::super::find::BackupFilter;
use super::super::view::{BackupStatus, BackupView, VerificationStatus};
use crate::master::backups::BackupState;
use crate::operations::{Caller, OperationError, Operations, RefusalCode};

/// What is younger, by the storage's clock, may still be written by somebody.
const LEFTOVERS_FROM: time::Duration = time::Duration::days(1);
/// The word in place of an environment's name.
const ALL: &str = "all";

/// Delete what the rules of retention do not keep.
#[derive(Debug, Clone, Default)]
pub struct PruneOrder {
    /// Only backups of this environment; `None` is all of the storage.
    pub environment: Option<String>,
    /// Only say what would be deleted.
    pub dry_run: bool,
    /// The environment's name once more, or `all`.
    pub confirm: Option<String>,
}

/// What became of the backups.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PruneView {
    /// Nothing was deleted.
    pub dry_run: bool,
    /// The environment; null is all.
    pub environment: Option<String>,
    /// Those that were deleted, or would be, the oldest first.
    pub deleted: Vec<PrunedBackup>,
    /// Those that stay, the newest first.
    pub kept: Vec<PrunedBackup>,
    /// Folders without a manifest, older than a day, that were removed.
    pub swept_folders: u64,
    /// Begun uploads and other temporaries, older than a day, that were removed.
    pub swept_temporaries: u64,
}

/// A backup, and why it stays or goes.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrunedBackup {
    /// Its id.
    pub backup_id: String,
    /// Its environment.
    pub environment: String,
    /// Its services; empty for a whole database.
    pub services: Vec<String>,
    /// When its data was as it has it.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
    /// Its size in the storage, bytes.
    pub size: u64,
    /// Which rule keeps it, or that none does.
    #[schema(example = "it is younger than 30 days")]
    pub why: String,
}

impl Operations {
    /// Deletes the backups that no rule of their environment keeps at `now`, as [`delete_backup`](Self::delete_backup) does, and
    /// sweeps the storage. The last verified backup of a service is never among them.
    ///
    /// # Errors
    /// Unknown names, no confirmation, a caller who may not touch all services, a storage that is away. What cannot be deleted
    /// stays, and says why.
    pub async fn prune_backups(
        &self,
        order: &PruneOrder,
        now: OffsetDateTime,
        caller: &Caller,
    ) -> Result<PruneView, OperationError> {
        caller.check(None)?;
        let environments = self.listed_databases(order.environment.as_deref())?;
        if !order.dry_run {
            confirmed(order)?;
        }
        let filter = BackupFilter { environments, limit: usize::MAX, ..BackupFilter::default() };
        let (backups, _) = self.backups(&filter, caller).await?;
        let mut view = self.judged(backups, order, now);
        if !order.dry_run {
            let condemned = std::mem::take(&mut view.deleted);
            for backup in condemned {
                let id = backup.backup_id.clone();
                match self.delete_backup(&id, Some(&id), caller).await {
                    Ok(_) => view.deleted.push(backup),
                    Err(error) => {
                        tracing::warn!(backup = id, %error, "no rule keeps a backup, and it could not be deleted");
                        let why = format!("{}, and it could not be deleted: {error}", backup.why);
                        view.kept.push(PrunedBackup { why, ..backup });
                    }
                }
            }
            let swept = self.sweep_backups().await?;
            (view.swept_folders, view.swept_temporaries) = (swept.folders, swept.temporaries);
        }
        Ok(view)
    }

    /// What the rules of each environment say.
    fn judged(&self, backups: Vec<BackupView>, order: &PruneOrder, now: OffsetDateTime) -> PruneView {
        let mut view = PruneView {
            dry_run: order.dry_run,
            environment: order.environment.clone(),
            deleted: Vec::new(),
            kept: Vec::new(),
            swept_folders: 0,
            swept_temporaries: 0,
        };
        let whole = backups.into_iter().filter(|backup| backup.status != BackupStatus::Running);
        let (known, strange): (Vec<_>, Vec<_>) =
            whole.partition(|backup| self.catalogue().environments.contains_key(&backup.environment));
        for (name, environment) in &self.catalogue().environments {
            let own: Vec<&BackupView> = known.iter().filter(|backup| backup.environment == *name).collect();
            let asked: Vec<Kept> = own.iter().filter_map(|backup| question(backup)).collect();
            for (id, verdict) in judge(&asked, rules(&environment.backup), now) {
                let Some(backup) = own.iter().find(|backup| backup.backup_id == id.as_str()) else { continue };
                let judged = pruned(backup, verdict.to_string());
                if verdict == Verdict::Goes { view.deleted.push(judged) } else { view.kept.push(judged) }
            }
        }
        let strange = strange.iter().map(|backup| pruned(backup, "the catalogue has no such environment".to_owned()));
        view.kept.extend(strange);
        view.deleted.sort_by(|a, b| a.backup_id.cmp(&b.backup_id));
        view.kept.sort_by(|a, b| b.backup_id.cmp(&a.backup_id));
        view
    }

    /// Removes what killed writers left in the storage a day ago or longer.
    ///
    /// # Errors
    /// No storage, or one that cannot be used.
    pub async fn sweep_backups(&self) -> Result<Swept, OperationError> {
        let vault = self.vault()?;
        let records = self.kept(&vault).await?;
        let running: HashSet<String> =
            records.into_iter().filter(|record| record.state == BackupState::Running).map(|record| record.id).collect();
        let swept = async {
            let before = vault.storage().now().await? - LEFTOVERS_FROM;
            vault.sweep(before, |id| running.contains(id.as_str())).await
        };
        let swept = swept.await.map_err(|error| self.refused(error))?;
        if swept != Swept::default() {
            tracing::info!(swept.folders, swept.temporaries, "what writers that died had left was removed");
        }
        Ok(swept)
    }
}

fn confirmed(order: &PruneOrder) -> Result<(), OperationError> {
    let name = order.environment.as_deref().unwrap_or(ALL);
    if order.confirm.as_deref() == Some(name) {
        return Ok(());
    }
    let message = match &order.environment {
        Some(name) => format!("pruning deletes backups of the environment {name:?} for good"),
        None => "pruning deletes backups of all environments for good".to_owned(),
    };
    Err(OperationError::refuse(RefusalCode::ConfirmationRequired, message)
        .with_cure(format!("look at it with dryRun first, then repeat: \"confirm\": {name:?}")))
}

fn rules(settings: &BackupSettings) -> Retention {
    Retention { days: settings.keep_days, count: settings.keep_count, weekly: settings.keep_weekly_weeks }
}

fn question(backup: &BackupView) -> Option<Kept> {
    Some(Kept {
        id: backup.backup_id.parse().ok()?,
        environment: backup.environment.clone(),
        scope: Scope { services: backup.services.clone(), schemas: Vec::new() },
        created_at: backup.created_at,
        retention_days: backup.retention_days,
        verified: backup.status == BackupStatus::Ready && backup.verification.status == VerificationStatus::Verified,
    })
}

fn pruned(backup: &BackupView, why: String) -> PrunedBackup {
    PrunedBackup {
        backup_id: backup.backup_id.clone(),
        environment: backup.environment.clone(),
        services: backup.services.clone(),
        created_at: backup.created_at,
        size: backup.size,
        why,
    }
}
