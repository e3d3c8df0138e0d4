//! Where environments stand, summed up per service.

use futures_util::future::join_all;
use migration_engine::status::{MigrationState, ServiceStatus, TargetStatus};
use migration_engine::{EngineError, ErrorCode, MigrationId};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Caller, OperationError, Operations, Spread};
use crate::targets::TargetEntry;

/// What a service's migrations need, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// Everything is applied.
    UpToDate,
    /// Something waits to be applied.
    Pending,
    /// An applied migration's file is gone.
    Missing,
    /// A migration was interrupted in the middle; the next run resumes it.
    Interrupted,
    /// An applied migration's file says something else now.
    Edited,
    /// A migration failed when it was last tried.
    Failed,
}

/// A whole environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overall {
    /// Everything is applied, everywhere.
    Healthy,
    /// Something waits to be applied, and nothing is wrong.
    Pending,
    /// Something needs a person.
    Degraded,
    /// The database could not be asked.
    Unavailable,
}

/// One service on one environment.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSummary {
    /// Its name in the catalogue.
    #[schema(example = "auth-service")]
    pub name: String,
    /// What its migrations need.
    pub status: ServiceState,
    /// The newest applied migration, `<schema>/<version>_<intent>`.
    #[schema(example = "auth/20260901100000_create_sessions")]
    pub last_migration: Option<String>,
    /// How many wait to be applied.
    pub pending_migrations: usize,
    /// How many are applied.
    pub applied_migrations: usize,
    /// Of those that wait, how many are older than the newest applied one.
    pub late_migrations: usize,
    /// How many failed when they were last tried.
    pub failed_migrations: usize,
    /// How many applied ones have another file now.
    pub edited_migrations: usize,
    /// How many applied ones have no file any more.
    pub missing_migrations: usize,
    /// The schemas it owns.
    pub schemas: Vec<String>,
}

/// One environment.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentStatus {
    /// Its name in the catalogue.
    pub environment: String,
    /// The catalogue guards it: what can lose data asks for its name, and the dashboard does before every run.
    pub protected: bool,
    /// Its database; absent when there is none.
    pub database: Option<String>,
    /// The server's version, as `server_version_num`.
    pub server_version_num: Option<u32>,
    /// Whether roles, schemas and grants stand as the catalogue says.
    pub prepared: bool,
    /// Why nobody records who changes the schema there; absent where it is recorded, or nothing was ever applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_off: Option<String>,
    /// Every service of the catalogue that the caller may see.
    pub services: Vec<ServiceSummary>,
    /// All of them together.
    pub overall_status: Overall,
    /// Why it could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The code of that problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "database_unavailable")]
    pub problem_code: Option<String>,
    /// Each of its databases by itself, where it has several; the members above sum them up, or are those of the first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    pub databases: Vec<EnvironmentStatus>,
}

impl EnvironmentStatus {
    /// One that could not be asked.
    fn away(entry: &TargetEntry, problem: String, code: String) -> Self {
        Self {
            environment: entry.environment.clone(),
            protected: entry.protected,
            database: entry.target.as_ref().ok().map(|target| target.connect.database().to_owned()),
            server_version_num: None,
            prepared: false,
            audit_off: None,
            services: Vec::new(),
            overall_status: Overall::Unavailable,
            problem: Some(problem),
            problem_code: Some(code),
            databases: Vec::new(),
        }
    }

    /// An environment as the sum of its databases, of which there is at least one.
    fn of_parts(parts: Vec<Self>, sort: impl Fn(&mut Vec<ServiceSummary>)) -> Option<Self> {
        let mut whole = parts.first()?.clone();
        if parts.len() == 1 {
            return Some(whole);
        }
        if let Some((environment, _)) = whole.environment.split_once('/') {
            whole.environment = environment.to_owned();
        }
        whole.services = parts.iter().flat_map(|part| part.services.clone()).collect();
        sort(&mut whole.services);
        whole.prepared = parts.iter().all(|part| part.prepared);
        let away = parts.iter().find_map(|part| Some((part, part.problem.as_ref()?)));
        whole.problem = away.map(|(part, problem)| format!("{}: {problem}", part.environment));
        whole.problem_code = away.and_then(|(part, _)| part.problem_code.clone());
        whole.audit_off = parts.iter().find_map(|part| part.audit_off.clone());
        whole.overall_status = parts.iter().map(|part| part.overall_status).max().unwrap_or(whole.overall_status);
        whole.databases = parts;
        Some(whole)
    }
}

impl Operations {
    /// One environment, every migration by itself.
    ///
    /// # Errors
    /// Unknown names, a database that is away, a project that cannot be read.
    pub async fn target_status(
        &self,
        environment: Option<&str>,
        caller: &Caller,
    ) -> Result<TargetStatus, OperationError> {
        let mut status = self.engine(environment)?.status().await?;
        status.services.retain(|service| caller.may_touch(&service.name));
        Ok(status)
    }

    /// Each database of an environment by itself, or the one of a service.
    ///
    /// # Errors
    /// As [`target_status`](Self::target_status), where none of them answers; a service that lives elsewhere.
    pub async fn target_statuses(
        &self,
        environment: Option<&str>,
        service: Option<&str>,
        caller: &Caller,
    ) -> Result<Spread<TargetStatus>, OperationError> {
        let databases = self.databases_for(environment, service, caller)?;
        let asked = databases.iter().map(|name| self.target_status(Some(name), caller)).collect();
        self.spread(&databases, asked).await
    }

    /// One environment, summed up over its databases. Of several, one that cannot be asked says why instead of failing the others.
    ///
    /// # Errors
    /// As [`target_status`](Self::target_status), where none of them answers.
    pub async fn status(
        &self,
        environment: Option<&str>,
        caller: &Caller,
    ) -> Result<EnvironmentStatus, OperationError> {
        let Spread { answers, unavailable, .. } = self.target_statuses(environment, None, caller).await?;
        let mut parts = Vec::new();
        for (name, status) in &answers {
            let protected = self.environment(Some(name))?.protected;
            parts.push(EnvironmentStatus { protected, ..EnvironmentStatus::from(status) });
        }
        for away in unavailable {
            let entry = self.environment(Some(&away.environment))?;
            parts.push(EnvironmentStatus::away(entry, away.message, away.code));
        }
        let place = |part: &EnvironmentStatus| self.catalogue().environments.get_index_of(&part.environment);
        parts.sort_by_key(place);
        let order = |service: &ServiceSummary| self.catalogue().services.get_index_of(&service.name);
        let whole = EnvironmentStatus::of_parts(parts, |services| services.sort_by_key(order)).ok_or_else(|| {
            super::OperationError::from(EngineError::new(ErrorCode::Internal, "no database was meant"))
        })?;
        let protected = self.environment(environment)?.protected;
        Ok(EnvironmentStatus { protected, ..whole })
    }

    /// Every environment, and every database that services of it have for themselves, asked side by side. One that cannot be asked says why instead of failing the others.
    pub async fn status_of_all(&self, caller: &Caller) -> Vec<EnvironmentStatus> {
        join_all(self.targets().all().iter().map(|entry| async {
            let name = &entry.environment;
            let protected = entry.protected;
            let status = self.target_status(Some(name), caller).await;
            status.as_ref().map_or_else(
                |error| EnvironmentStatus::away(entry, error.to_string(), error.code()),
                |status| EnvironmentStatus { protected, ..EnvironmentStatus::from(status) },
            )
        }))
        .await
    }
}

impl From<&TargetStatus> for EnvironmentStatus {
    fn from(status: &TargetStatus) -> Self {
        let services: Vec<_> = status.services.iter().map(ServiceSummary::from).collect();
        let worst = services.iter().map(|service| service.status).max().unwrap_or(ServiceState::UpToDate);
        let overall_status = match worst {
            ServiceState::UpToDate => Overall::Healthy,
            ServiceState::Pending => Overall::Pending,
            _ => Overall::Degraded,
        };
        Self {
            environment: status.environment.clone(),
            // Whoever asked knows; the engine does not.
            protected: false,
            database: Some(status.database.clone()),
            server_version_num: Some(status.server_version_num),
            prepared: status.prepared,
            audit_off: status.audit_off.clone(),
            services,
            overall_status,
            problem: None,
            problem_code: None,
            databases: Vec::new(),
        }
    }
}

impl From<&ServiceStatus> for ServiceSummary {
    fn from(service: &ServiceStatus) -> Self {
        use MigrationState::{Applied, Edited, Failed, Interrupted, Late, Missing, Pending};
        let count = |states: &[MigrationState]| service.count(states);
        let last = service
            .migrations
            .iter()
            .filter(|m| matches!(m.state, Applied | Edited | Missing))
            .max_by_key(|m| (m.applied_at, m.migration.version));
        let status = [
            (Failed, ServiceState::Failed),
            (Edited, ServiceState::Edited),
            (Interrupted, ServiceState::Interrupted),
            (Missing, ServiceState::Missing),
            (Pending, ServiceState::Pending),
            (Late, ServiceState::Pending),
        ]
        .into_iter()
        .find(|(state, _)| count(&[*state]) > 0)
        .map_or(ServiceState::UpToDate, |(_, status)| status);
        Self {
            name: service.name.clone(),
            status,
            last_migration: last.map(|m| full_name(&m.migration, &m.name)),
            pending_migrations: count(&[Pending, Late, Failed, Interrupted]),
            applied_migrations: count(&[Applied, Edited, Missing]),
            late_migrations: count(&[Late]),
            failed_migrations: count(&[Failed]),
            edited_migrations: count(&[Edited]),
            missing_migrations: count(&[Missing]),
            schemas: service.schemas.clone(),
        }
    }
}

/// As the file is called, with its folder; reads back as a [`MigrationId`].
fn full_name(id: &MigrationId, name: &str) -> String {
    if name.is_empty() { id.to_string() } else { format!("{id}_{name}") }
}
