//! Making a backup.

use backup_vault::{BackupId, MakeRequest, Manifest, Scope, Vault, VaultError};
use embedded_postgres::Tools;
use migration_engine::Target;

use super::job::{BackupHandle, Done, End, Subject};
use super::job_view::{BackupAction, ErrorView, is_cancelled};
use super::locked_out;
use super::refusal::of_vault;
use crate::master::backups::{BackupRecord, BackupState};
use crate::operations::runs::joined;
use crate::operations::{Caller, OperationError, Operations, Recording, RefusalCode};

/// A hundred years.
const LONGEST_RETENTION: u32 = 36_500;
/// A description is a note and no document, characters.
const LONGEST_DESCRIPTION: usize = 1_000;

/// What to do where the storage went away in the last step.
const IN_DOUBT: &str =
    "when the storage is back, list the backups: it is there if it was completed, and can be verified";

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
    /// How many more times another copy of the service makes it anew, should this process end before it is made.
    pub goes_on: i32,
}

/// The backups of an environment's databases.
#[derive(Default)]
pub struct BackupsBegun {
    /// Under way; at least one.
    pub jobs: Vec<BackupHandle>,
    /// The databases of which none was begun, with why.
    pub refused: Vec<(String, OperationError)>,
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

    /// The order as one for each database that it is about: the services of each together, or each whole.
    ///
    /// # Errors
    /// Unknown names, a service that lives in another database than the one named, or in a fleet.
    pub fn backups_of(&self, order: &BackupOrder) -> Result<Vec<BackupOrder>, OperationError> {
        let environment = order.environment.as_deref();
        let of = |name: &str, services| BackupOrder { environment: Some(name.to_owned()), services, ..order.clone() };
        if order.services.is_empty() {
            return Ok(self.databases_of(environment, None)?.iter().map(|name| of(name, Vec::new())).collect());
        }
        let mut orders: Vec<BackupOrder> = Vec::new();
        for service in &order.services {
            self.known_service(Some(service))?;
            let home = self.home_name(environment, Some(service))?;
            match orders.iter_mut().find(|order| order.environment.as_ref() == Some(&home)) {
                Some(order) => order.services.push(service.clone()),
                None => orders.push(of(&home, vec![service.clone()])),
            }
        }
        Ok(orders)
    }

    /// Starts a backup of each database that an order is about. One that cannot be begun keeps no other from it.
    ///
    /// # Errors
    /// As [`start_backup`](Self::start_backup), where none was begun.
    pub async fn start_backups(&self, order: &BackupOrder, caller: &Caller) -> Result<BackupsBegun, OperationError> {
        let mut begun = BackupsBegun::default();
        for order in self.backups_of(order)? {
            let name = order.environment.clone().unwrap_or_default();
            match self.start_backup(order, caller).await {
                Ok(job) => begun.jobs.push(job),
                Err(error) => begun.refused.push((name, error)),
            }
        }
        match begun.refused.first() {
            Some((_, error)) if begun.jobs.is_empty() => Err(error.clone()),
            _ => Ok(begun),
        }
    }

    async fn start_backup_here(&self, order: BackupOrder, caller: &Caller) -> Result<BackupHandle, OperationError> {
        let scope = self.scope_of(&order, caller)?;
        let home = self.home_of_all(order.environment.as_deref(), &order.services)?;
        let target = self.target(Some(&home.environment))?.clone();
        self.start_backup_of(&target, scope, order, caller).await
    }

    /// The same of a scope that is known already; the order's services are not looked at.
    pub(super) async fn start_backup_of(
        &self,
        target: &Target,
        scope: Scope,
        order: BackupOrder,
        caller: &Caller,
    ) -> Result<BackupHandle, OperationError> {
        let vault = self.vault()?;
        self.check_tools(target).await?;
        let label = match scope.services.as_slice() {
            [one] => one,
            _ => &target.environment,
        };
        let started_at = self.master().now();
        let id = BackupId::generate(started_at, label).map_err(of_vault)?;
        let (environment, actor) = (target.environment.clone(), caller.actor.to_string());
        let storage = vault.storage().shown();
        let record = BackupRecord {
            description: order.description.clone(),
            retention_days: order.retention_days.and_then(|days| days.try_into().ok()),
            request_id: caller.request_id.clone(),
            goes_on: if self.0.recording == Recording::First { order.goes_on } else { 0 },
            ..BackupRecord::begun(id.to_string(), storage, environment, scope.services.clone(), actor, started_at)
        };
        self.keep(&record).await?;
        let subject = Subject { environment: Some(record.environment.clone()), services: record.services.clone() };
        let job = BackupHandle::new(
            &record.id,
            BackupAction::Create,
            (caller, subject, started_at),
            None,
            Some(record.clone()),
        );
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
        let (connect, at) = (target.connect.clone(), request.id.clone());
        let this = self.clone();
        let making = async move {
            let made = vault.make(&connect, request, &progress, &cancel).await;
            match made {
                Err(error) if error.is_in_doubt() => this.looked_for(&vault, &at, error).await,
                Err(error) if locked_out::is_it(&error) => Err(locked_out::by(&connect).await),
                made => made.map_err(|error| this.refused(error)),
            }
        };
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

    /// The storage failed in the last step. What it has says whether that was done; as long as it does not answer, nobody knows.
    async fn looked_for(&self, vault: &Vault, id: &BackupId, error: VaultError) -> Result<Manifest, OperationError> {
        match vault.manifest(id).await {
            Ok(manifest) => Ok(manifest),
            Err(VaultError::Unknown(_)) => Err(self.refused(error)),
            Err(_) => {
                let refused = self.refused(error);
                let message = format!("{refused}: whether the backup was completed is not known");
                Err(OperationError::refuse(RefusalCode::BackupStorageUnavailable, message).with_cure(IN_DOUBT))
            }
        }
    }

    async fn made(self, job: BackupHandle, record: BackupRecord, made: Result<Manifest, OperationError>) -> End {
        let mut record = BackupRecord { finished_at: Some(self.master().now()), progress: None, ..record };
        match &made {
            Ok(manifest) => {
                record.state = BackupState::Ready;
                record.stored_bytes = i64::try_from(manifest.stored_bytes()).ok();
                record.manifest_sha256 = Some(manifest.sha256.clone());
            }
            Err(error) => {
                record.state = match is_cancelled(error) {
                    true if job.is_handed_over() && record.goes_on > 0 => BackupState::Interrupted,
                    true => BackupState::Cancelled,
                    false => BackupState::Failed,
                };
                record.error = serde_json::to_value(ErrorView::from(error)).ok();
                tracing::warn!(backup = %record.id, %error, "the backup was not made");
            }
        }
        self.note(&record).await;
        job.keep(record);
        made.map(|_| Done::Made)
    }
}
