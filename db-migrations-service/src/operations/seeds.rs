//! Seeds.

use std::time::Duration;

use migration_engine::status::SeedStatus;
use migration_engine::{EngineError, ErrorCode, Target};
use tracing::Instrument as _;
use uuid::Uuid;

use super::launch::{Beginning, Opening};
use super::run::{Continuation, scope};
use super::takeover::KeptOrder;
use super::turns::{Turn, Turns};
use super::{Caller, OperationError, Operations, RunEnd, RunHandle, RunKind};

/// Seed an environment.
#[derive(Debug, Clone, Default)]
pub struct SeedOrder {
    /// Which environment; `None` is the default one.
    pub environment: Option<String>,
    /// Which service; `None` is all.
    pub service: Option<String>,
    /// Empty the tables first. Refused where the environment is protected.
    pub reset: bool,
    /// How long to wait for another runner; zero answers at once.
    pub wait_for_lock: Duration,
    /// Where it goes on with seeds that were left behind.
    pub continuation: Option<Continuation>,
}

impl Operations {
    /// Starts a seeding of an environment with one database, or of one service; else as [`start_seeds`](Self::start_seeds), of
    /// which this answers the first.
    ///
    /// # Errors
    /// As there.
    pub async fn start_seed(&self, order: SeedOrder, caller: &Caller) -> Result<RunHandle, OperationError> {
        super::runs::first(self.start_seeds(order, caller).await?)
    }

    /// Starts a seeding of each database that the order is about, one after the other; they go on whether or not anybody
    /// listens.
    ///
    /// # Errors
    /// Unknown names; the master database being away. Everything else shows in how they end.
    pub async fn start_seeds(&self, order: SeedOrder, caller: &Caller) -> Result<Vec<RunHandle>, OperationError> {
        let (this, caller) = (self.clone(), caller.clone());
        super::runs::joined(tokio::spawn(
            async move { Box::pin(this.start_seeds_here(order, &caller)).await }.in_current_span(),
        ))
        .await
    }

    async fn start_seeds_here(&self, order: SeedOrder, caller: &Caller) -> Result<Vec<RunHandle>, OperationError> {
        caller.check(order.service.as_deref())?;
        self.known_service(order.service.as_deref())?;
        let mut turns = Turns::new();
        for environment in self.databases_of(order.environment.as_deref(), order.service.as_deref())? {
            let seeding = self.launch_seed(environment, &order, turns.next(), caller);
            turns.launched(Box::pin(seeding).await)?;
        }
        Ok(turns.begin())
    }

    async fn launch_seed(
        &self,
        environment: String,
        order: &SeedOrder,
        turn: Turn,
        caller: &Caller,
    ) -> Result<RunHandle, OperationError> {
        let (engine, target) = (self.engine(Some(&environment))?, self.target(Some(&environment))?.clone());
        let id = order.continuation.map_or_else(Uuid::now_v7, |run| run.id);
        let opening = Opening::new(id, self.monitor().run(&environment));
        let context = opening.context(caller, order.wait_for_lock);
        let (scope, reset) = (scope(order.service.as_deref()), order.reset);
        let beginning = Beginning {
            kind: if reset { RunKind::SeedReset } else { RunKind::Seed },
            order: KeptOrder::seed(self, order, (&environment, turn.before()), caller),
            continues: order.continuation.map(|run| run.of),
            environment,
            service: order.service.clone(),
            dry_run: false,
            plan: None,
            cover: None,
        };
        let (log, cancel) = opening.listening();
        let work = async move {
            if let Err(error) = turn.come(std::future::pending(), (&log, &cancel)).await {
                return RunEnd::Error(error);
            }
            let done = if reset {
                Box::pin(engine.seed_reset(&scope, context)).await
            } else {
                Box::pin(engine.seed(&scope, context)).await
            };
            done.map_or_else(|error| RunEnd::Error(Box::new(seed_error(error, &target))), RunEnd::Seed)
        };
        self.launch(opening, beginning, caller, work).await
    }

    /// Which seeds ran on an environment, without the services that the caller may not touch.
    ///
    /// # Errors
    /// Unknown names, a database that is away.
    pub async fn seed_status(
        &self,
        environment: Option<&str>,
        caller: &Caller,
    ) -> Result<Vec<SeedStatus>, OperationError> {
        let mut seeds = Vec::new();
        for name in self.databases_of(environment, None)? {
            seeds.extend(self.engine(Some(&name))?.seed_status().await?);
        }
        seeds.retain(|seed| caller.may_touch(&seed.service));
        Ok(seeds)
    }
}

/// A database that the first run creates is one without migrations, and the engine's word for those is the same.
fn seed_error(error: EngineError, target: &Target) -> EngineError {
    match OperationError::from(error).on(target) {
        OperationError::Engine(error) => *error,
        absent => {
            let cure = absent.cure().unwrap_or_default().to_owned();
            EngineError::new(ErrorCode::SeedFailed, absent.to_string()).cure(cure)
        }
    }
}
