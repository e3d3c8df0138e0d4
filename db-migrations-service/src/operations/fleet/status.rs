//! Where a fleet stands: how many of its databases at which version.

use std::collections::BTreeMap;

use migration_engine::status::MigrationState::{Applied, Edited, Failed, Interrupted, Late, Missing, Pending};
use migration_engine::status::TargetStatus;
use serde::Serialize;
use utoipa::ToSchema;

use super::target::{ask_all, engine};
use crate::operations::{Caller, OperationError, Operations, Overall};

/// A fleet, summed up.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetStatus {
    /// The fleet.
    pub fleet: String,
    /// The service.
    pub service: String,
    /// The environment that it belongs to.
    pub environment: String,
    /// How many databases it has now.
    pub targets: usize,
    /// The newest migration of the files, `<schema>/<version>`; null where there is none.
    pub newest: Option<String>,
    /// How many databases stand at which version, most first; null is no migration at all.
    pub versions: Vec<VersionCount>,
    /// How many have everything.
    pub up_to_date: usize,
    /// How many lack something, and nothing is wrong.
    pub pending: usize,
    /// How many have something that failed, was interrupted, edited, or lacks its file.
    pub degraded: usize,
    /// How many could not be asked.
    pub unavailable: usize,
    /// The worst of them.
    pub overall_status: Overall,
    /// Database by database.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<FleetTargetStatus>,
}

/// How many databases stand at a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionCount {
    /// The newest applied migration, `<schema>/<version>`; of a service with several schemas those of each, with commas.
    pub version: Option<String>,
    /// How many databases.
    pub targets: usize,
}

/// One database of a fleet.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetTargetStatus {
    /// `host:port/database`.
    pub name: String,
    /// How it stands.
    pub status: Overall,
    /// The newest applied migration, as in `versions`.
    pub version: Option<String>,
    /// How many wait to be applied.
    pub pending_migrations: usize,
    /// Why it could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Operations {
    /// Asks every database of a fleet; `each` has them one by one in the answer.
    ///
    /// # Errors
    /// An unknown fleet, one of a service that the caller may not touch, one whose databases cannot be found.
    pub async fn fleet_status(&self, name: &str, each: bool, caller: &Caller) -> Result<FleetStatus, OperationError> {
        let (fleet, project) = self.fleet(name, caller)?;
        let members = self.members(name, fleet).await?;
        let (project, members) = (&project, &members);
        let databases = ask_all(members, fleet.per_server, |place: usize| async move {
            let member = &members[place];
            match engine(project, &fleet.environment, member).status().await {
                Ok(status) => FleetTargetStatus::of(&member.name, &status),
                Err(error) => FleetTargetStatus {
                    name: member.name.clone(),
                    status: Overall::Unavailable,
                    version: None,
                    pending_migrations: 0,
                    problem: Some(error.message),
                },
            }
        })
        .await;
        let count = |status: Overall| databases.iter().filter(|database| database.status == status).count();
        let newest = newest(project.migrations().iter().map(|migration| (&migration.id.schema, migration.id.version)));
        Ok(FleetStatus {
            fleet: name.to_owned(),
            service: fleet.service.clone(),
            environment: fleet.environment.clone(),
            targets: databases.len(),
            newest,
            versions: versions(&databases),
            up_to_date: count(Overall::Healthy),
            pending: count(Overall::Pending),
            degraded: count(Overall::Degraded),
            unavailable: count(Overall::Unavailable),
            overall_status: databases.iter().map(|database| database.status).max().unwrap_or(Overall::Healthy),
            databases: if each { databases } else { Vec::new() },
        })
    }
}

fn versions(databases: &[FleetTargetStatus]) -> Vec<VersionCount> {
    let mut counts: BTreeMap<&Option<String>, usize> = BTreeMap::new();
    for database in databases.iter().filter(|database| database.status != Overall::Unavailable) {
        *counts.entry(&database.version).or_default() += 1;
    }
    let counted = counts.into_iter().map(|(version, targets)| VersionCount { version: version.clone(), targets });
    let mut all: Vec<VersionCount> = counted.collect();
    all.sort_by_key(|count| std::cmp::Reverse(count.targets));
    all
}

/// The newest of each schema.
fn newest<'a>(all: impl Iterator<Item = (&'a String, migration_engine::Version)>) -> Option<String> {
    let mut newest = BTreeMap::new();
    for (schema, version) in all {
        let known = newest.entry(schema).or_insert(version);
        *known = version.max(*known);
    }
    let names: Vec<String> = newest.into_iter().map(|(schema, version)| format!("{schema}/{version}")).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

impl FleetTargetStatus {
    fn of(name: &str, status: &TargetStatus) -> Self {
        let count = |states: &[_]| status.services.iter().map(|service| service.count(states)).sum::<usize>();
        let pending = count(&[Pending, Late, Failed, Interrupted]);
        let state = match (count(&[Failed, Interrupted, Edited, Missing]), pending) {
            (0, 0) => Overall::Healthy,
            (0, _) => Overall::Pending,
            _ => Overall::Degraded,
        };
        let all = status.services.iter().flat_map(|service| &service.migrations);
        let applied = all.filter(|migration| matches!(migration.state, Applied | Edited | Missing));
        Self {
            name: name.to_owned(),
            status: state,
            version: newest(applied.map(|migration| (&migration.migration.schema, migration.migration.version))),
            pending_migrations: pending,
            problem: None,
        }
    }
}
