//! One database of a fleet: asked, brought forward, taken back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use migration_engine::event::Outcome;
use migration_engine::proof::Override;
use migration_engine::proof::shared::SharedProofs;
use migration_engine::request::{RollbackRequest, RollbackTo, RunContext, RunRequest, Scope};
use migration_engine::{Engine, EngineError, ErrorCode, EventSink, MigrationId, PreparedRun, Project, Target};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::find::Member;
use super::order::KeptOrder;
use crate::operations::{OperationError, Operations};

/// What is the same for all databases of a run.
pub(super) struct Work {
    pub operations: Operations,
    pub run: Uuid,
    pub environment: String,
    pub actor: String,
    pub order: KeptOrder,
    pub project: Arc<Project>,
    /// Somebody did a part of it before, so that a database may have had its turn without anybody having written that down.
    pub resumed: bool,
    /// What one database has proven need not be rehearsed for the next one.
    pub proofs: Arc<SharedProofs>,
}

/// What came of one.
pub(super) enum Came {
    /// So many migrations, the last of them this one.
    Done(usize, Option<MigrationId>),
    /// There was nothing to do.
    Nothing,
    Cancelled,
    Failed(Box<EngineError>),
}

/// The engine on one of a fleet's databases.
pub(super) fn engine(project: &Arc<Project>, environment: &str, member: &Member) -> Engine {
    let target = Target {
        environment: environment.to_owned(),
        connect: member.connect.clone(),
        // Whoever makes tenants makes their databases.
        create_database: false,
    };
    Engine::new(Arc::clone(project), target).sparing_sessions()
}

/// Asks all, at most `per_server` of one server at once; the answers come in the order of the members.
pub(super) async fn ask_all<T, F>(members: &[Member], per_server: usize, ask: impl Fn(usize) -> F + Copy) -> Vec<T>
where
    F: Future<Output = T>,
{
    let mut servers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, member) in members.iter().enumerate() {
        servers.entry(&member.server).or_default().push(place);
    }
    let mut under_way = Vec::new();
    for places in servers.into_values() {
        let asked: Vec<_> = places.into_iter().map(|place| async move { (place, ask(place).await) }).collect();
        under_way.push(stream::iter(asked).buffer_unordered(per_server.max(1)).collect::<Vec<_>>());
    }
    let answers = futures_util::future::join_all(under_way).await;
    let mut answers: Vec<(usize, T)> = answers.into_iter().flatten().collect();
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

impl Work {
    /// Does one database's part. Whatever happens is in the answer.
    pub(super) async fn bring(&self, member: &Member, cancel: &CancellationToken) -> Came {
        // Whoever waits for another runner's lock holds nothing yet.
        let prepared = match cancel.run_until_cancelled(Box::pin(self.prepare(member, cancel))).await {
            None => return Came::Cancelled,
            Some(Ok(prepared)) => prepared,
            Some(Err(error)) => return Came::of(error),
        };
        if prepared.plan().is_empty() {
            prepared.let_go().await;
            return Came::Nothing;
        }
        let report = Box::pin(prepared.execute()).await;
        match (report.outcome, report.error) {
            (Outcome::Completed, _) => Came::Done(report.done.len(), report.done.last().cloned()),
            (Outcome::Cancelled, _) => Came::Cancelled,
            (Outcome::Failed, Some(error)) => Came::Failed(error),
            (Outcome::Failed, None) => {
                Came::Failed(Box::new(EngineError::new(ErrorCode::Internal, "it failed without a reason")))
            }
        }
    }

    async fn prepare(&self, member: &Member, cancel: &CancellationToken) -> Result<PreparedRun, OperationError> {
        let engine = engine(&self.project, &self.environment, member);
        let context = RunContext {
            run_id: self.run,
            actor: self.actor.clone(),
            events: EventSink::none(),
            cancel: cancel.child_token(),
            wait_for_lock: Duration::from_millis(self.order.wait_for_lock_ms),
        };
        let scope = Scope::All;
        let mut prepared = match (self.order.aim.back(), &self.order.aim) {
            (Some(to), _) => {
                let to = if self.resumed { RollbackTo::Resumed(Box::new(to)) } else { to };
                let request = RollbackRequest { scope, to, dry_run: false };
                let mut prepared = engine.prepare_rollback(request, context).await?;
                let despite = self.order.despite_releases.clone();
                if let Err(error) = self.operations.hold_rollback(&self.environment, &mut prepared, despite).await {
                    prepared.let_go().await;
                    return Err(error);
                }
                prepared
            }
            (None, aim) => {
                let to = aim.forward_to();
                let overrides: Vec<Override> = self.order.overrides.clone();
                let request = RunRequest { scope, to, dry_run: false, overrides };
                let mut prepared = Box::pin(engine.prepare_run(request, context)).await?;
                prepared.share_proofs(Arc::clone(&self.proofs));
                let despite = self.order.despite_releases.clone();
                self.operations.hold_contracts(&self.environment, &mut prepared, despite).await?;
                prepared
            }
        };
        if let Some(reason) = &self.order.no_backup {
            prepared.go_without_backup(reason.clone());
        }
        Ok(prepared)
    }
}

impl Came {
    fn of(error: OperationError) -> Self {
        match error {
            OperationError::Engine(error) if error.code == ErrorCode::Cancelled => Self::Cancelled,
            OperationError::Engine(error) => Self::Failed(error),
            other => {
                let cure = other.cure().unwrap_or_default().to_owned();
                Self::Failed(Box::new(EngineError::new(ErrorCode::Internal, other.to_string()).cure(cure)))
            }
        }
    }
}
