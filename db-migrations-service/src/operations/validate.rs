//! What the gates say, and what drift there is.

mod with_data;

use std::time::Duration;

use migration_engine::proof::ValidateRequest;
use migration_engine::proof::drift::adopt::{Adoption, Undoing};
use migration_engine::proof::drift::{DriftReport, Fingerprints};
use migration_engine::proof::report::{Gate, Report};
use migration_engine::request::RunContext;
use migration_engine::{Engine, EventSink, MigrationId, Target};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::run::scope;
use super::runs::joined;
use super::{Caller, OperationError, Operations, RefusalCode};

/// What to look through the gates at.
#[derive(Debug, Clone, Default)]
pub struct ValidateOrder {
    /// Which environment; `None` is the default one.
    pub environment: Option<String>,
    /// Which service; `None` is all.
    pub service: Option<String>,
    /// All migrations from an empty database on, instead of the pending ones.
    pub whole: bool,
    /// Through which gates; empty means all.
    pub gates: Vec<Gate>,
    /// Rehearse on the rows of a backup.
    pub with_data: bool,
}

/// Reads the name of a gate.
///
/// # Errors
/// Another word, with those that there are.
pub fn parse_gate(text: &str) -> Result<Gate, OperationError> {
    text.parse().map_err(|message: String| {
        OperationError::refuse(RefusalCode::InvalidRequest, message).with_cure("name one of the gates")
    })
}

fn request(order: ValidateOrder) -> ValidateRequest {
    ValidateRequest { scope: scope(order.service.as_deref()), whole: order.whole, gates: order.gates }
}

fn context(caller: &Caller, cancel: CancellationToken) -> RunContext {
    RunContext {
        run_id: Uuid::now_v7(),
        actor: caller.actor.to_string(),
        events: EventSink::none(),
        cancel,
        wait_for_lock: Duration::ZERO,
    }
}

impl Operations {
    /// Looks through the gates at what is pending, or at the whole set. A report that did not pass is no error.
    ///
    /// # Errors
    /// Unknown names, a database that is away, cancelled; with data also where there is no backup that fits, and what
    /// keeps it from being restored.
    pub async fn validate(
        &self,
        mut order: ValidateOrder,
        caller: &Caller,
        cancel: CancellationToken,
    ) -> Result<Report, OperationError> {
        caller.check(order.service.as_deref())?;
        self.known_service(order.service.as_deref())?;
        let home = self.home_name(order.environment.as_deref(), order.service.as_deref())?;
        let engine = self.engine(Some(&home))?;
        order.environment = Some(home);
        let context = context(caller, cancel);
        let (this, caller) = (self.clone(), caller.clone());
        // A task of its own: whoever stops listening must not leave the scratch database behind.
        joined(tokio::spawn(async move {
            if order.with_data {
                return Box::pin(this.validate_with_data(engine, order, &caller, context)).await;
            }
            Ok(Box::pin(engine.validate(&request(order), &context)).await?)
        }))
        .await
    }

    /// Looks through the gates at all that a request is about: each database of the environment, and then each service that lives
    /// in a fleet of it.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub async fn validate_all(
        &self,
        order: ValidateOrder,
        caller: &Caller,
        cancel: &CancellationToken,
    ) -> Result<Vec<Report>, OperationError> {
        let fleets = self.fleets_asked_for(&order, caller)?;
        let databases = match self.databases_of(order.environment.as_deref(), order.service.as_deref()) {
            // The service lives in the fleet.
            Err(_) if order.service.is_some() && !fleets.is_empty() => Vec::new(),
            databases => databases?,
        };
        let mut reports = Vec::new();
        for name in databases {
            let order = ValidateOrder { environment: Some(name), ..order.clone() };
            reports.push(self.validate(order, caller, cancel.clone()).await?);
        }
        for fleet in fleets {
            reports.extend(self.validate_fleet(&fleet, &order, context(caller, cancel.clone())).await?);
        }
        Ok(reports)
    }

    /// A fleet for each service that lives in one, where a whole environment is asked about.
    fn fleets_asked_for(&self, order: &ValidateOrder, caller: &Caller) -> Result<Vec<String>, OperationError> {
        let environment = &self.environment(order.environment.as_deref())?.environment;
        if order.environment.as_ref().is_some_and(|name| name != environment) {
            return Ok(Vec::new());
        }
        let catalogue = self.catalogue();
        let services = catalogue.services.keys().filter(|name| caller.may_touch(name));
        let asked = services.filter(|name| order.service.as_ref().is_none_or(|service| service == *name));
        Ok(asked.filter_map(|name| catalogue.fleet_of(environment, name)).map(str::to_owned).collect())
    }

    /// What is pending is another thing in each database of a fleet, and is proven there by the run. Here all files are looked at:
    /// by the gates that need no database, or, where the whole set is asked for, by those that are.
    async fn validate_fleet(
        &self,
        fleet: &str,
        order: &ValidateOrder,
        context: RunContext,
    ) -> Result<Option<Report>, OperationError> {
        let mut request = ValidateRequest { whole: true, ..request(order.clone()) };
        if !order.whole {
            let asked = |gate: &Gate| request.gates.is_empty() || request.gates.contains(gate);
            request.gates = [Gate::Parses, Gate::StaysHome].into_iter().filter(asked).collect();
            if request.gates.is_empty() {
                return Ok(None);
            }
        }
        let environment = self.environment(order.environment.as_deref())?.environment.clone();
        // Rehearsals need a server; where the environment has no database of its own, the fleet's does.
        let places = self.targets().fleet(fleet).and_then(|places| places.as_ref().ok());
        let of_fleet = || places.and_then(|places| places.servers.first().or(places.listed.first()));
        let target = match (self.target(Some(&environment)), of_fleet()) {
            (Err(_), Some(connect)) => {
                Target { environment: environment.clone(), connect: connect.clone(), create_database: false }
            }
            (target, _) => target?.clone(),
        };
        let engine = Engine::new(self.project_of_fleet(fleet)?, target);
        let validated = tokio::spawn(async move { Ok(Box::pin(engine.validate(&request, &context)).await?) });
        let mut report: Report = joined(validated).await?;
        report.environment = format!("{environment}, fleet {fleet}");
        Ok(Some(report))
    }

    /// Holds the live schemas against what their history makes.
    ///
    /// # Errors
    /// Unknown names, a database that is away or not there yet, a history that cannot be replayed.
    pub async fn drift(
        &self,
        environment: Option<&str>,
        service: Option<&str>,
        caller: &Caller,
        cancel: CancellationToken,
    ) -> Result<DriftReport, OperationError> {
        caller.check(service)?;
        self.known_service(service)?;
        let home = self.home_name(environment, service)?;
        let (engine, target) = (self.engine(Some(&home))?, self.target(Some(&home))?);
        let (scope, context) = (scope(service), context(caller, cancel));
        let drift = tokio::spawn(async move { Ok(Box::pin(engine.drift(&scope, &context)).await?) });
        joined(drift).await.map_err(|error: OperationError| error.on(target))
    }

    /// The live fingerprints and the promised one.
    ///
    /// # Errors
    /// Unknown names, a database that is away or not there yet.
    pub async fn fingerprints(&self, environment: Option<&str>) -> Result<Fingerprints, OperationError> {
        let target = self.target(environment)?;
        self.engine(environment)?.fingerprints().await.map_err(|error| OperationError::from(error).on(target))
    }

    /// The SQL that undoes drift; nothing is changed.
    ///
    /// # Errors
    /// As [`drift`](Self::drift).
    pub async fn undo_drift(
        &self,
        environment: Option<&str>,
        service: Option<&str>,
        caller: &Caller,
        cancel: CancellationToken,
    ) -> Result<Undoing, OperationError> {
        caller.check(service)?;
        self.known_service(service)?;
        let engine = self.engine_at_home(environment, service)?;
        let (scope, context) = (scope(service), context(caller, cancel));
        let undone = tokio::spawn(async move { Ok(Box::pin(engine.undo_drift(&scope, &context)).await?) });
        joined(undone).await
    }

    /// The migration that would make one schema's drift; nothing is changed.
    ///
    /// # Errors
    /// As [`drift`](Self::drift).
    pub async fn propose_adoption(
        &self,
        environment: Option<&str>,
        schema: &str,
        caller: &Caller,
        cancel: CancellationToken,
    ) -> Result<Adoption, OperationError> {
        let owner = self.catalogue().owner_of(schema).map(|(name, _)| name);
        caller.check(owner)?;
        let engine = self.engine_at_home(environment, owner)?;
        let (schema, context) = (schema.to_owned(), context(caller, cancel));
        let proposed = tokio::spawn(async move { Ok(Box::pin(engine.propose_adoption(&schema, &context)).await?) });
        joined(proposed).await
    }

    /// Records a migration whose files were just written as applied, without running it.
    ///
    /// # Errors
    /// A busy target, a refusal of the server.
    pub async fn adopt(
        &self,
        environment: Option<&str>,
        id: &MigrationId,
        align: &[String],
        caller: &Caller,
    ) -> Result<(), OperationError> {
        let context = context(caller, CancellationToken::new());
        let owner = self.catalogue().owner_of(&id.schema).map(|(name, _)| name);
        Ok(self.engine_at_home(environment, owner)?.adopt(id, align, &context).await?)
    }
}
