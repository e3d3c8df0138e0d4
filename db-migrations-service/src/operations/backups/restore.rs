//! Restoring a backup: into a new database here, into the live one in [`super::restore_live`].

use std::sync::Arc;

use backup_vault::archive::TableName;
use backup_vault::{BackupId, Manifest, Vault};
use migration_engine::Target;
use uuid::Uuid;

use super::carry::confirmed;
use super::job::{BackupHandle, Done, End, Restoring, Subject};
use super::job_view::{BackupAction, ErrorView, is_cancelled};
use super::refusal::DAMAGED;
use crate::master::restores::{RestoreKind, RestoreRecord, RestoreState};
use crate::operations::runs::joined;
use crate::operations::{Caller, OperationError, Operations, Recording, RefusalCode};

/// PostgreSQL's names are not longer, bytes.
const LONGEST_NAME: usize = 63;

/// Restore a backup.
#[derive(Debug, Clone, Default)]
pub struct RestoreOrder {
    /// Which backup.
    pub id: String,
    /// In which environment, in the database that the backup's services live in there; `None` is the backup's own.
    pub environment: Option<String>,
    /// The new database's name; `None` is one made of the backup's.
    pub into: Option<String>,
    /// Into the environment's own database instead, in place of what is there.
    pub in_place: bool,
    /// Only these tables, `<schema>.<table>`, at least one, into the environment's own database, beside what is there.
    pub tables: Option<Vec<String>>,
    /// The backup's id once more.
    pub confirm: Option<String>,
}

/// Where to.
enum Way {
    New(String),
    InPlace,
    Tables(Vec<TableName>),
}

/// What is restored, on which server, for whom.
pub(super) struct Restore<'a> {
    pub vault: Vault,
    pub manifest: Manifest,
    pub target: Target,
    pub caller: &'a Caller,
}

impl Operations {
    /// Starts a restore. Into a new database, it is there under its name when all of it is there. In place, what is there is
    /// backed up first, and swapped for what the backup has in one transaction; no migration runs meanwhile. Tables get names of
    /// their own beside the live ones.
    ///
    /// # Errors
    /// No such backup, no confirmation, one that somebody works on, a database of that name, a database that is away; in place,
    /// whatever speaks against it.
    pub async fn start_restore(&self, order: RestoreOrder, caller: &Caller) -> Result<BackupHandle, OperationError> {
        // A task of its own: a listener who goes away in the middle must not leave it half started.
        let (this, caller) = (self.clone(), caller.clone());
        joined(tokio::spawn(async move { this.start_restore_here(order, &caller).await })).await
    }

    async fn start_restore_here(&self, order: RestoreOrder, caller: &Caller) -> Result<BackupHandle, OperationError> {
        let vault = self.vault()?;
        let (found, _) = self.stored(&vault, &order.id, caller).await?;
        confirmed(&order.id, order.confirm.as_deref(), "restoring it")?;
        let damaged = |reason: &str| {
            OperationError::refuse(RefusalCode::BackupDamaged, format!("backup {}: {reason}", found.id))
                .with_cure(DAMAGED)
        };
        if let Some(reason) = found.damage() {
            return Err(damaged(&reason));
        }
        let manifest = found.manifest().ok_or_else(|| damaged("its manifest is not there"))?.clone();
        let way = order.way(&found.id)?;
        let home = self.place_of(&manifest, order.environment.as_deref(), found.environment())?;
        let target = self.target(home.as_deref())?.clone();
        let restore = Restore { vault, manifest, target, caller };
        match way {
            Way::New(into) => self.restore_into_new(restore, into).await,
            Way::InPlace => self.restore_in_place(restore).await,
            Way::Tables(tables) => self.restore_tables(restore, &tables).await,
        }
    }

    /// The database that a backup goes into: the one that it is of, or, in another environment, the one in which its services
    /// live.
    fn place_of(
        &self,
        manifest: &Manifest,
        asked: Option<&str>,
        own: Option<&str>,
    ) -> Result<Option<String>, OperationError> {
        let Some(asked) = asked else { return Ok(own.map(str::to_owned)) };
        let catalogue = self.catalogue();
        let entry = own.and_then(|own| catalogue.environments.get(own));
        let is_of = |service: &str| match manifest.scope.services.as_slice() {
            [] => entry.is_some_and(|entry| entry.houses(service)),
            services => services.iter().any(|name| name == service),
        };
        let with_schemas = catalogue.services.iter().filter(|(_, service)| !service.schemas.is_empty());
        let services: Vec<String> = with_schemas.map(|(name, _)| name).filter(|name| is_of(name)).cloned().collect();
        Ok(Some(self.home_of_all(Some(asked), &services)?.environment.clone()))
    }

    async fn restore_into_new(&self, restore: Restore<'_>, into: String) -> Result<BackupHandle, OperationError> {
        let record = restore.record(RestoreKind::New, &into);
        let job = self.begin_restore(&restore, Restoring::new(record, Arc::default(), Vec::new())).await?;
        let (progress, cancel) = (job.0.progress.clone(), job.0.cancel.clone());
        let Restore { vault, manifest, target, .. } = restore;
        let restoring =
            async move { vault.restore_into_new(&manifest.id, &target.connect, &into, &progress, &cancel).await };
        self.carry(&job, restoring, async move |this: Self, job, restored| {
            let end = restored.map(Done::Restored).map_err(|error| this.refused(error));
            this.restored(&job, end).await
        });
        Ok(job)
    }

    /// Writes the restore down, and takes the backup for it.
    pub(super) async fn begin_restore(
        &self,
        restore: &Restore<'_>,
        restoring: Restoring,
    ) -> Result<BackupHandle, OperationError> {
        let record = restoring.record();
        let subject = Subject {
            environment: Some(record.environment.clone()),
            services: restore.manifest.scope.services.clone(),
        };
        let job = BackupHandle::new(
            &record.backup,
            BackupAction::Restore,
            (restore.caller, subject, record.started_at),
            Some(restoring),
            None,
        );
        self.begin(&job)?;
        if let Err(error) = self.master().keep_restore(&record).await {
            if self.0.recording == Recording::First {
                job.over(Err(error.clone().into()));
                self.0.backup_jobs.retire(job.id());
                return Err(error.into());
            }
            tracing::warn!(%error, "the restore is not recorded in the master database");
        }
        tracing::info!(
            backup = record.backup,
            kind = record.kind.as_str(),
            environment = record.environment,
            database = record.database,
            actor = record.actor,
            "a restore begins"
        );
        Ok(job)
    }

    /// Writes down how a restore ended.
    pub(super) async fn restored(&self, job: &BackupHandle, end: End) -> End {
        let Some(restoring) = &job.0.restoring else { return end };
        let record = restoring.change(|record| {
            record.finished_at = Some(self.master().now());
            record.state = match &end {
                Ok(_) => RestoreState::Completed,
                Err(error) if is_cancelled(error) => RestoreState::Cancelled,
                Err(_) => RestoreState::Failed,
            };
            record.error = end.as_ref().err().and_then(|error| serde_json::to_value(ErrorView::from(error)).ok());
        });
        match &end {
            Ok(_) => {
                tracing::info!(backup = record.backup, database = record.database, actor = record.actor, "restored");
            }
            Err(error) => tracing::warn!(backup = record.backup, database = record.database, %error, "not restored"),
        }
        self.note_restore(&record).await;
        end
    }

    pub(super) async fn note_restore(&self, record: &RestoreRecord) {
        if let Err(error) = self.master().keep_restore(record).await {
            tracing::error!(backup = record.backup, %error, "what became of the restore could not be written to the master database");
        }
    }
}

impl Restore<'_> {
    pub(super) fn backup(&self) -> &BackupId {
        &self.manifest.id
    }

    /// What is kept of it when it begins.
    pub(super) fn record(&self, kind: RestoreKind, database: &str) -> RestoreRecord {
        RestoreRecord {
            id: Uuid::now_v7(),
            backup: self.manifest.id.to_string(),
            storage: self.vault.storage().shown().to_owned(),
            environment: self.target.environment.clone(),
            kind,
            database: database.to_owned(),
            schemas: Vec::new(),
            tables: Vec::new(),
            safety_backup: None,
            state: RestoreState::Running,
            actor: self.caller.actor.to_string(),
            request_id: self.caller.request_id.clone(),
            started_at: self.vault.now(),
            finished_at: None,
            error: None,
        }
    }
}

impl RestoreOrder {
    fn way(&self, id: &str) -> Result<Way, OperationError> {
        match (&self.into, self.in_place, self.tables.as_deref()) {
            (None, true, None) => Ok(Way::InPlace),
            // Whoever has chosen none has not chosen all.
            (None, false, Some([])) => Err(invalid(
                "the list of tables is empty",
                "name the tables, or leave the list out to restore all of the backup",
            )),
            (None, false, Some(tables)) => {
                Ok(Way::Tables(tables.iter().map(|name| table(name)).collect::<Result<_, _>>()?))
            }
            (into, false, None) => {
                let into = into.clone().unwrap_or_else(|| default_name(id));
                check_name(&into)?;
                Ok(Way::New(into))
            }
            _ => Err(invalid("into a new database, in place and tables exclude each other", "keep one of them")),
        }
    }
}

fn table(name: &str) -> Result<TableName, OperationError> {
    match name.split_once('.') {
        Some((schema, table)) if !schema.is_empty() && !table.is_empty() => {
            Ok(TableName { schema: schema.to_owned(), name: table.to_owned() })
        }
        _ => {
            let shown: String = name.chars().take(130).collect();
            Err(invalid(&format!("{shown:?} names no table"), "name it with its schema, as in plans.plans"))
        }
    }
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
    Err(invalid(
        "the name of the new database is none that PostgreSQL takes",
        &format!("give a name of 1 to {LONGEST_NAME} letters that does not begin with pg_"),
    ))
}

fn invalid(message: &str, cure: &str) -> OperationError {
    OperationError::refuse(RefusalCode::InvalidRequest, message).with_cure(cure)
}
