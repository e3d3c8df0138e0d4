//! Everything that the service can do, in one layer: HTTP and the command line call the same functions.
//!
//! It knows environments, runs and who asks; it knows no HTTP, prints nothing, and decides no exit codes. View types
//! carry `ToSchema` only so that their documentation is written once.

mod adopt;
mod audit;
mod backups;
mod caller;
mod compatibility;
mod certificates;
mod database;
mod drift;
mod error;
mod events;
mod fleet;
mod history;
mod homes;
mod inspect;
mod launch;
mod left;
mod live;
mod rollback;
mod run;
mod runs;
mod schemas;
mod seeds;
mod spread;
mod status;
mod stop;
mod takeover;
mod telling;
mod tokens;
mod trace;
mod turns;
mod validate;

use std::sync::{Arc, OnceLock};

use migration_engine::{Catalogue, Engine, Project, Target};

pub use adopt::{AdoptOrder, AdoptionView};
pub use audit::AuditOrder;
pub(crate) use backups::{BACKUPS_GO_ON, restore_command};
pub use backups::{
    BackupAction, BackupFilter, BackupHandle, BackupOrder, BackupPlace, BackupStatus, BackupView, BackupsBegun, Fired,
    JobStatus, JobView, PruneOrder, PruneView, PrunedBackup, RestoreOrder, RestoreStage, RestoreView,
    RestoredTableView, UncheckedKey, VerificationStatus,
};
pub use caller::Caller;
pub use certificates::{CertificateOrder, PassedBy, ProofOnRecord};
pub use compatibility::{Compatibility, CompatibilityOrder, ReleaseOrder, ReleaseView, SchemaCompatibility, Verdict};
pub use database::{
    Activity, Bloat, ConnectionsView, DatabaseHealth, DatabaseHistory, DatabaseHistoryOrder, DatabaseOrder,
    HistoryMetric, HistorySeries, HistorySpan, MissingIndex, Performance, SchemaHealth, SchemaSize, Session, SizeView,
    StatementFigures, TableActivity, TableSize, TargetHealth, UnusedIndex,
};
pub use error::{OperationError, RefusalCode};
pub use events::{Follower, Recorded};
pub use fleet::{
    FleetAim, FleetHandle, FleetOrder, FleetPlan, FleetPlanGroup, FleetProgress, FleetRunView, FleetStatus,
    FleetTargetStatus, FleetView, VersionCount,
};
pub use history::{HistoryOrder, parse_migration};
pub(crate) use homes::alone_of;
pub use live::{RunEnd, RunHandle};
pub use rollback::RollbackOrder;
pub use run::RunOrder;
pub use runs::RunEvents;
pub use schemas::{
    AllSchemas, ColumnView, FingerprintView, NamedDefinition, PolicyView, SchemaCounts, SchemaDetail, ServiceDetail,
    ServiceSchemas, TableView,
};
pub use seeds::SeedOrder;
pub use spread::{Spread, Unavailable};
pub use status::{EnvironmentStatus, Overall, ServiceState, ServiceSummary};
pub use telling::{EventOrder, Events, Told};
pub use tokens::{SCOPES, TokenOrder};
pub use validate::{ValidateOrder, parse_gate};

pub use crate::master::runs::{BackupOrigin, EventLine, RunFilter, RunKind, RunRecord, RunState};
pub use crate::master::tokens::TokenRecord;
pub use crate::master::{Master, MasterError};

use crate::alerts::Alerting;
use crate::events::{Hub, Redis};
use crate::monitor::Monitor;
use crate::targets::{TargetEntry, Targets};
use crate::webhooks::WebhookWays;
use backups::BackupJobs;
use compatibility::Looks;
use fleet::FleetJobs;
use live::LiveRuns;

/// When a run is written to the master database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// Before it does anything, so that whoever was given its id finds it. For the service.
    First,
    /// While it works, and not at all when there was nothing to do; a master database that is away is only logged.
    /// For the command line, which shows the run itself and must not wait for a second connection.
    Alongside,
}

/// A project, its targets and its master database, ready to work. Cheap to clone.
#[derive(Clone)]
pub struct Operations(Arc<Inner>);

struct Inner {
    project: Arc<Project>,
    targets: Targets,
    master: Master,
    recording: Recording,
    live: LiveRuns,
    backups: OnceLock<BackupPlace>,
    backup_jobs: BackupJobs,
    fleets: FleetJobs,
    hub: Arc<Hub>,
    redis: OnceLock<Redis>,
    monitor: Monitor,
    alerting: Alerting,
    webhooks: OnceLock<WebhookWays>,
    looks: Looks,
}

impl Operations {
    /// Brings them together; nothing is connected yet.
    pub fn new(project: Arc<Project>, targets: Targets, recording: Recording) -> Self {
        let master = Master::new(targets.master().clone());
        Self(Arc::new(Inner {
            project,
            targets,
            master,
            recording,
            live: LiveRuns::default(),
            backups: OnceLock::new(),
            backup_jobs: BackupJobs::default(),
            fleets: FleetJobs::default(),
            hub: Arc::default(),
            redis: OnceLock::new(),
            monitor: Monitor::default(),
            alerting: Alerting::default(),
            webhooks: OnceLock::new(),
            looks: Looks::default(),
        }))
    }

    /// Says where backups are kept; once, before they are asked for.
    pub fn keep_backups_in(&self, place: BackupPlace) {
        // A second place is a mistake of the program, and the first one stays.
        let _ = self.0.backups.set(place);
    }

    /// Where they are kept, where that was said.
    pub(crate) fn backup_place(&self) -> Option<&BackupPlace> {
        self.0.backups.get()
    }

    /// The project that is served.
    pub fn project(&self) -> &Arc<Project> {
        &self.0.project
    }

    /// Its catalogue.
    pub fn catalogue(&self) -> &Catalogue {
        &self.0.project.catalogue
    }

    /// Its targets.
    pub fn targets(&self) -> &Targets {
        &self.0.targets
    }

    /// The service's own database.
    pub fn master(&self) -> &Master {
        &self.0.master
    }

    /// What this process counts, and what it saw when it last looked at the targets.
    pub(crate) fn monitor(&self) -> &Monitor {
        &self.0.monitor
    }

    /// What this process needs for alerts.
    pub(crate) fn alerting(&self) -> &Alerting {
        &self.0.alerting
    }

    /// Says where the services' webhooks are; once, before they are called.
    pub fn call_webhooks_by(&self, ways: WebhookWays) {
        // A second time is a mistake of the program, and the first one stays.
        let _ = self.0.webhooks.set(ways);
    }

    /// Where the services' webhooks are.
    pub fn webhook_ways(&self) -> &WebhookWays {
        static NOBODY: WebhookWays = WebhookWays::none();
        self.0.webhooks.get().unwrap_or(&NOBODY)
    }

    /// The environment of that name, or the default one; where it has several databases, its main one.
    ///
    /// # Errors
    /// A name that the catalogue does not have.
    pub fn environment(&self, name: Option<&str>) -> Result<&TargetEntry, OperationError> {
        let name = homes::without_main(name.unwrap_or_else(|| self.0.targets.default_environment()));
        match self.0.targets.get(name) {
            Some(entry) => Ok(entry),
            None => Err(self.catalogue().environment(name).err().map_or_else(
                || {
                    OperationError::refuse(
                        RefusalCode::EnvironmentUnconfigured,
                        format!("the environment {name:?} has no target"),
                    )
                    .with_cure("name another environment")
                },
                OperationError::from,
            )),
        }
    }

    /// The engine on an environment.
    ///
    /// # Errors
    /// An unknown environment, or one without a database.
    pub fn engine(&self, environment: Option<&str>) -> Result<Engine, OperationError> {
        Ok(Engine::new(self.current_project()?, self.target(environment)?.clone()))
    }

    /// A folder is read anew each time: files come and go while the service runs.
    fn current_project(&self) -> Result<Arc<Project>, OperationError> {
        Ok(match self.0.project.root() {
            Some(root) => Arc::new(Project::open(root)?),
            None => Arc::clone(&self.0.project),
        })
    }

    fn target(&self, environment: Option<&str>) -> Result<&Target, OperationError> {
        let entry = self.environment(environment)?;
        entry.target.as_ref().map_err(|reason| {
            OperationError::refuse(RefusalCode::EnvironmentUnconfigured, reason.clone())
                .with_cure("give it a database, or name another environment")
        })
    }

    /// Refuses a list of what is not there, or is not the caller's.
    pub(crate) fn check_listed(
        &self,
        service: Option<&str>,
        environment: Option<&str>,
        caller: &Caller,
    ) -> Result<(), OperationError> {
        if service.is_some() {
            self.known_service(service)?;
            caller.check(service)?;
        }
        if environment.is_some() {
            self.environment(environment)?;
        }
        Ok(())
    }

    /// Refuses a service that the catalogue does not have.
    fn known_service(&self, service: Option<&str>) -> Result<(), OperationError> {
        match service {
            Some(name) => Ok(self.catalogue().service(name).map(drop)?),
            None => Ok(()),
        }
    }
}
