//! The walk on a scratch database: up, down, compare, up again, compare.

use std::time::Duration;

use schema_catalog::{Difference, Fingerprint, Follower, ReadError, Scope, Snapshot, difference};
use tokio_util::sync::CancellationToken;

use super::observe;
use super::report::StatementFigures;
use crate::error::{EngineError, ErrorCode};
use crate::migration::MigrationId;
use crate::run::apply::{self, StepEnd};
use crate::run::attempt::Hands;
use crate::run::backfill::{self, journal::Begun};
use crate::run::steps::{Record, Step, Text};
use crate::run::stepwise;
use crate::target::quote::literal;
use crate::target::session::own_statement;
use crate::target::store::{self, Direction};

/// A migration as it is walked.
#[derive(Debug, Clone)]
pub(super) struct Walked {
    pub id: MigrationId,
    pub service: String,
    pub name: String,
    pub owner: String,
    pub up: Text,
    pub down: Text,
    pub up_sql: String,
    pub down_sql: String,
    pub up_transactional: bool,
    pub down_transactional: bool,
    pub up_sets_session: bool,
    pub down_sets_session: bool,
    pub irreversible: bool,
}

/// Which part of the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leg {
    Up,
    Down,
    UpAgain,
}

/// How the walk of one migration went.
#[derive(Debug)]
pub(super) struct Walk {
    pub before: Fingerprint,
    pub after: Fingerprint,
    pub statements: Vec<StatementFigures>,
    pub up_ms: [u64; 2],
    pub down_ms: Option<u64>,
    /// All legs and the comparisons between them.
    pub took_ms: u64,
    /// What the way there changed.
    pub made: Vec<Difference>,
    /// What the way back left otherwise than it was.
    pub not_restored: Vec<Difference>,
    /// What the second way there made otherwise than the first.
    pub not_repeated: Vec<Difference>,
    /// Where it ended early, and why.
    pub failed: Option<(Leg, Box<EngineError>)>,
}

/// The sessions of a rehearsal and what bounds it.
pub(super) struct Walker<'a> {
    pub hands: Hands<'a>,
    /// The managed schemas, as the other session sees them.
    pub follower: Follower<'a>,
    /// Cancelled by this walker when a leg takes too long; the same token that `hands` listen to.
    pub stop: &'a CancellationToken,
    pub timeout: Duration,
}

impl Walker<'_> {
    /// Where the schema stands. Nothing is read anew but what changed since the last time.
    pub(super) async fn snapshot(&mut self) -> Result<Snapshot, EngineError> {
        self.follower.read().await.map_err(|error| unread(&error))
    }

    /// Walks one migration from `before`. Answers how it went and where the schema stands now.
    pub(super) async fn walk(&mut self, walked: &Walked, before: Snapshot) -> Result<(Walk, Snapshot), EngineError> {
        let begun = std::time::Instant::now();
        let (mut walk, now) = self.legs(walked, before).await?;
        walk.took_ms = begun.elapsed().as_millis() as u64;
        Ok((walk, now))
    }

    async fn legs(&mut self, walked: &Walked, before: Snapshot) -> Result<(Walk, Snapshot), EngineError> {
        let mut walk = Walk::from(before.fingerprint());
        let up = walked.step_up();
        let begun = std::time::Instant::now();
        match self.in_time(&up, self.first_up(&up)).await {
            Ok(statements) => walk.statements = statements,
            Err(error) => {
                walk.failed = Some((Leg::Up, error));
                return Ok((walk, before));
            }
        }
        walk.up_ms[0] = begun.elapsed().as_millis() as u64;
        let after = self.snapshot().await?;
        walk.after = after.fingerprint();
        walk.made = difference(&before, &after);
        if walked.irreversible {
            return Ok((walk, after));
        }
        let row = self.row_of(&walked.id).await?;
        let down = walked.step_down(row);
        match self.in_time(&down, self.as_run(&down)).await {
            Ok(duration_ms) => walk.down_ms = Some(duration_ms),
            Err(error) => {
                walk.failed = Some((Leg::Down, error));
                return Ok((walk, after));
            }
        }
        let restored = self.snapshot().await?;
        walk.not_restored = difference(&before, &restored);
        let again = walked.step_up();
        match self.in_time(&again, self.as_run(&again)).await {
            Ok(duration_ms) => walk.up_ms[1] = duration_ms,
            Err(error) => {
                walk.failed = Some((Leg::UpAgain, error));
                return Ok((walk, restored));
            }
        }
        let repeated = self.snapshot().await?;
        walk.not_repeated = difference(&after, &repeated);
        Ok((walk, repeated))
    }

    /// Applies one that stands in the target's history, as it was applied.
    pub(super) async fn replay(&self, walked: &Walked) -> Result<(), Box<EngineError>> {
        let step = walked.step_up();
        self.in_time(&step, self.as_run(&step)).await.map(|_| ())
    }

    /// Begins one that was begun on the target and is not done.
    pub(super) async fn stand(&self, walked: &Walked, begun: &[&Begun]) -> Result<(), Box<EngineError>> {
        let step = walked.step_up();
        self.in_time(&step, backfill::stand(&self.hands, &step, begun)).await
    }

    /// Goes on with one that was begun, from `before` to its end. Its way back was walked before it was begun.
    pub(super) async fn finish(&mut self, walked: &Walked, before: Snapshot) -> Result<(Walk, Snapshot), EngineError> {
        let begun = std::time::Instant::now();
        let mut walk = Walk::from(before.fingerprint());
        let up = walked.step_up();
        let state = store::read(self.hands.quiet()).await?;
        let journal = state.journal.get(&(walked.id.clone(), Direction::Up)).cloned().unwrap_or_default();
        if let Err(error) = self.in_time(&up, stepwise::apply(&self.hands, &up, &journal)).await {
            walk.failed = Some((Leg::Up, error));
            return Ok((walk, before));
        }
        let after = self.snapshot().await?;
        walk.after = after.fingerprint();
        walk.made = difference(&before, &after);
        walk.took_ms = begun.elapsed().as_millis() as u64;
        Ok((walk, after))
    }

    async fn first_up(&self, step: &Step) -> Result<Vec<StatementFigures>, StepEnd> {
        if step.transactional {
            observe::up(&self.hands, step).await
        } else {
            self.as_run(step).await?;
            Ok(observe::unobservable(step))
        }
    }

    /// As a run does it.
    async fn as_run(&self, step: &Step) -> Result<u64, StepEnd> {
        if step.transactional {
            apply::apply(&self.hands, step).await
        } else {
            stepwise::apply(&self.hands, step, &std::collections::BTreeMap::new()).await
        }
    }

    /// A leg that hangs is cancelled and told.
    async fn in_time<T>(
        &self,
        step: &Step,
        leg: impl Future<Output = Result<T, StepEnd>>,
    ) -> Result<T, Box<EngineError>> {
        tokio::pin!(leg);
        let ended = tokio::select! {
            ended = &mut leg => ended,
            () = tokio::time::sleep(self.timeout) => {
                self.stop.cancel();
                leg.await
            }
        };
        ended.map_err(|end| match end {
            StepEnd::Failed(error) => error,
            StepEnd::Cancelled => Box::new(
                EngineError::new(
                    ErrorCode::RehearsalTimeout,
                    format!(
                        "{}: the rehearsal took longer than {} s and was cancelled",
                        step.text.file,
                        self.timeout.as_secs()
                    ),
                )
                .cure("see what it waits for, or raise run.rehearsal_timeout_s in config/services.toml")
                .migration(&step.id),
            ),
        })
    }

    async fn row_of(&self, id: &MigrationId) -> Result<i64, EngineError> {
        let query = format!(
            "SELECT id FROM migration_service.history WHERE schema_name = {} AND version = {} AND rolled_back_at IS NULL",
            literal(&id.schema),
            id.version
        );
        let outcome =
            self.hands.quiet().batch(&query).await.map_err(|e| own_statement(&e, "reading the rehearsal's history"))?;
        crate::target::store::number(outcome.value(0, 0).unwrap_or_default())
    }
}

impl From<Fingerprint> for Walk {
    fn from(before: Fingerprint) -> Self {
        Self {
            before,
            after: before,
            statements: Vec::new(),
            up_ms: [0, 0],
            down_ms: None,
            took_ms: 0,
            made: Vec::new(),
            not_restored: Vec::new(),
            not_repeated: Vec::new(),
            failed: None,
        }
    }
}

/// The managed schemas as they stand.
pub(super) async fn snapshot(conn: &postgres_link::AdminConn, scope: &Scope) -> Result<Snapshot, EngineError> {
    Snapshot::read(conn, scope).await.map_err(|error| unread(&error))
}

fn unread(error: &ReadError) -> EngineError {
    EngineError::new(ErrorCode::Internal, format!("taking the schema's fingerprint: {error}"))
        .cure("see that nobody changes the schema meanwhile, then try again")
}

impl Walked {
    fn step_up(&self) -> Step {
        Step {
            id: self.id.clone(),
            service: self.service.clone(),
            name: self.name.clone(),
            owner: self.owner.clone(),
            direction: Direction::Up,
            text: self.up.clone(),
            transactional: self.up_transactional,
            sets_session: self.up_sets_session,
            late: false,
            record: Record::Applied {
                up_sql: self.up_sql.clone(),
                down_sql: self.down_sql.clone(),
                checksum: String::new(),
                file_hash: String::new(),
            },
            has_leftovers: true,
        }
    }

    fn step_down(&self, row: i64) -> Step {
        Step {
            direction: Direction::Down,
            text: self.down.clone(),
            transactional: self.down_transactional,
            sets_session: self.down_sets_session,
            record: Record::RolledBack { row },
            ..self.step_up()
        }
    }
}
