//! Which of an environment's databases a request is about.
//!
//! A service lives in one of them. A request that names a service is about that database; one that names none is about all of
//! them, one after the other, where that has a meaning, and about the main one elsewhere.

use migration_engine::catalogue::MAIN;
use migration_engine::{Engine, EngineError, ErrorCode, MigrationId, Plan};

use super::{Caller, OperationError, Operations, RefusalCode};
use crate::targets::TargetEntry;

impl Operations {
    /// The database of an environment that a service lives in; the main one where none is named.
    ///
    /// # Errors
    /// Unknown names; a service that lives in another database than the one named, or in a fleet.
    pub(crate) fn home(
        &self,
        environment: Option<&str>,
        service: Option<&str>,
    ) -> Result<&TargetEntry, OperationError> {
        let entry = self.environment(environment)?;
        let Some(service) = service.filter(|name| self.catalogue().services.contains_key(*name)) else {
            return Ok(entry);
        };
        // Whoever names the main database means that one.
        let is_alone = environment.is_some_and(|name| name != entry.environment);
        match self.catalogue().home_of(&entry.environment, service) {
            Some(home) if !is_alone || home == entry.environment => self.environment(Some(home)),
            _ => Err(self.not_at_home(environment.unwrap_or(&entry.environment), service)),
        }
    }

    /// The name of that database.
    ///
    /// # Errors
    /// As [`home`](Self::home).
    pub fn home_name(&self, environment: Option<&str>, service: Option<&str>) -> Result<String, OperationError> {
        Ok(self.home(environment, service)?.environment.clone())
    }

    /// The database that all of these services live in; the main one where none is named.
    ///
    /// # Errors
    /// As [`home`](Self::home); services that live in different ones.
    pub(super) fn home_of_all(
        &self,
        environment: Option<&str>,
        services: &[String],
    ) -> Result<&TargetEntry, OperationError> {
        let home = self.home(environment, services.first().map(String::as_str))?;
        for service in services {
            let other = self.home(environment, Some(service))?;
            if other.environment != home.environment {
                let message =
                    format!("{} lives in {}, and {service} in {}", services[0], home.environment, other.environment);
                return Err(OperationError::refuse(RefusalCode::InvalidRequest, message)
                    .with_cure("name the services of one database"));
            }
        }
        Ok(home)
    }

    /// The engine on it.
    pub(super) fn engine_at_home(
        &self,
        environment: Option<&str>,
        service: Option<&str>,
    ) -> Result<Engine, OperationError> {
        self.engine(Some(&self.home(environment, service)?.environment))
    }

    /// The databases that a request is about: the one of the service, where one is named; else all of the environment, in the
    /// catalogue's order. `<environment>/main` is the main one alone.
    ///
    /// # Errors
    /// As [`home`](Self::home).
    pub fn databases_of(
        &self,
        environment: Option<&str>,
        service: Option<&str>,
    ) -> Result<Vec<String>, OperationError> {
        let home = self.home(environment, service)?.environment.clone();
        if service.is_some() || environment.is_some_and(|name| name != home) {
            return Ok(vec![home]);
        }
        Ok(self.catalogue().databases(&home).into_iter().map(str::to_owned).collect())
    }

    fn not_at_home(&self, environment: &str, service: &str) -> OperationError {
        let catalogue = self.catalogue();
        let whole = catalogue.whole_of(without_main(environment));
        let refuse = |place: &str, cure: String| {
            let message = format!("{service} does not live in {environment}, but in {place}");
            OperationError::refuse(RefusalCode::ServiceElsewhere, message).with_cure(cure)
        };
        if let Some(home) = catalogue.home_of(whole, service) {
            return refuse(home, format!("name the environment {whole:?}, or that database"));
        }
        let fleet = catalogue.fleet_of(whole, service).unwrap_or_default();
        refuse(&format!("the fleet {fleet:?}"), format!("ask for the fleet: `profe fleet status {fleet}`"))
    }

    /// What a run would do in each database of a request, in the order in which the databases come.
    ///
    /// # Errors
    /// As [`plan`](Self::plan); databases that wait for each other.
    pub async fn plans(
        &self,
        environment: Option<&str>,
        service: Option<&str>,
        with_sql: bool,
        caller: &Caller,
    ) -> Result<Vec<(String, Plan)>, OperationError> {
        let mut plans = Vec::new();
        for name in self.databases_of(environment, service)? {
            let plan = self.plan(Some(&name), service, with_sql, caller).await?;
            plans.push((name, plan));
        }
        let order = order_of(&plans.iter().map(|(_, plan)| plan).collect::<Vec<_>>())?;
        let mut slots: Vec<_> = plans.into_iter().map(Some).collect();
        Ok(order.into_iter().filter_map(|at| slots[at].take()).collect())
    }

    /// Refuses where something must be applied in another database first and neither is nor will be by then.
    pub(super) async fn refuse_unmet(&self, in_order: &[(&str, &Plan)]) -> Result<(), OperationError> {
        for (at, (environment, plan)) in in_order.iter().enumerate() {
            for planned in &plan.migrations {
                for needed in &planned.needs_elsewhere {
                    let comes = in_order[..at].iter().any(|(_, before)| has(before, needed));
                    if !comes && !self.is_applied_at_home(environment, needed).await? {
                        return Err(self.unmet(environment, &planned.migration, needed));
                    }
                }
            }
        }
        Ok(())
    }

    async fn is_applied_at_home(&self, environment: &str, id: &MigrationId) -> Result<bool, OperationError> {
        use migration_engine::status::MigrationState::{Applied, Edited};
        let Some((service, _)) = self.catalogue().owner_of(&id.schema) else { return Ok(false) };
        let whole = self.catalogue().whole_of(environment);
        let status = self.engine_at_home(Some(whole), Some(service))?.status().await?;
        let mut all = status.services.iter().flat_map(|service| &service.migrations);
        Ok(all.any(|migration| migration.migration == *id && matches!(migration.state, Applied | Edited)))
    }

    fn unmet(&self, environment: &str, id: &MigrationId, needed: &MigrationId) -> OperationError {
        let whole = self.catalogue().whole_of(environment);
        let service = self.catalogue().owner_of(&needed.schema).map(|(name, _)| name);
        let home = self.home_name(Some(whole), service).unwrap_or_else(|_| whole.to_owned());
        let message = format!("{id} requires {needed}, which is not applied in {home}");
        EngineError::new(ErrorCode::UnresolvedReference, message)
            .cure(format!("run all of it: profe migrate run --environment {whole}"))
            .migration(id)
            .into()
    }
}

/// The names by which each of these databases is asked for alone.
pub(crate) fn alone_of(databases: &[String]) -> String {
    databases.iter().map(|name| alone(name)).collect::<Vec<_>>().join(", ")
}

/// The name by which a database is asked for alone: an environment's name is that of all its databases.
pub(super) fn alone(database: &str) -> String {
    if database.contains('/') { database.to_owned() } else { format!("{database}/{MAIN}") }
}

/// The name of an environment without that of its main database.
pub(super) fn without_main(environment: &str) -> &str {
    environment.strip_suffix(MAIN).and_then(|rest| rest.strip_suffix('/')).unwrap_or(environment)
}

fn has(plan: &Plan, id: &MigrationId) -> bool {
    plan.migrations.iter().any(|planned| planned.migration == *id)
}

/// The order in which databases are brought forward: one whose migrations require others' comes after those; the catalogue's
/// order, where nothing is required.
pub(super) fn order_of(plans: &[&Plan]) -> Result<Vec<usize>, OperationError> {
    let waits = |at: usize, other: usize| {
        let needed = plans[at].migrations.iter().flat_map(|planned| &planned.needs_elsewhere);
        other != at && needed.into_iter().any(|id| has(plans[other], id))
    };
    let mut left: Vec<usize> = (0..plans.len()).collect();
    let mut order = Vec::with_capacity(plans.len());
    while !left.is_empty() {
        let ready = left.iter().position(|&at| !left.iter().any(|&other| waits(at, other)));
        match ready {
            Some(place) => order.push(left.remove(place)),
            None => return Err(circle(&left.iter().map(|&at| plans[at]).collect::<Vec<_>>())),
        }
    }
    Ok(order)
}

fn circle(plans: &[&Plan]) -> OperationError {
    let all = plans.iter().flat_map(|plan| &plan.migrations);
    let waiting: Vec<String> = all
        .flat_map(|planned| {
            planned.needs_elsewhere.iter().map(move |needed| format!("{} for {needed}", planned.migration))
        })
        .collect();
    let message = format!("databases wait for each other: {}", waiting.join(", "));
    EngineError::new(ErrorCode::DependencyCycle, message)
        .cure("run the services one after the other with --service, or require less")
        .into()
}
