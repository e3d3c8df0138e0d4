//! A run from its plan to its report.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postgres_link::AdminConn;

use super::apply::{self, StepEnd};
use super::attempt::Hands;
use super::backfill;
use super::beside::Beside;
use super::dry;
use super::rollback;
use super::steps::{Record, Step, Text};
use super::stepwise;
use crate::audit;
use crate::engine::Target;
use crate::error::{EngineError, ErrorCode};
use crate::event::{Event, Outcome};
use crate::hold::Hold;
use crate::migration::MigrationId;
use crate::plan::Plan;
use crate::project::Project;
use crate::proof::shared::SharedProofs;
use crate::proof::{self, Override};
use crate::request::RunContext;
use crate::status::RunReport;
use crate::target::store::{self, Direction, Journalled};
use crate::target::{confine, lock, prepare};

/// Where the SQL of a planned step comes from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// The project's files, read when their turn comes; the up file's bytes had this hash when it was planned.
    File { hash: String },
    /// The history: what was applied knows its own way back.
    History { row: i64, owner: String, down_sql: String },
    /// The journal of a backfill that is not done: it knows its way back, too.
    Begun { owner: String, down_sql: String },
}

/// What must be known of each planned migration beside the plan.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub origin: Origin,
    pub journal: BTreeMap<usize, Journalled>,
    pub has_leftovers: bool,
}

/// A run or a rollback that holds the target's lock and knows what it will do. Dropping it lets go.
pub struct PreparedRun {
    pub(crate) project: Arc<Project>,
    pub(crate) plan: Plan,
    pub(crate) work: Vec<Work>,
    pub(crate) direction: Direction,
    pub(crate) dry_run: bool,
    pub(crate) context: RunContext,
    /// `None` where there is nothing to do, or the database does not exist yet.
    pub(crate) sessions: Option<Sessions>,
    pub(crate) installed: bool,
    pub(crate) prepared_before: bool,
    /// All that records was seen to be as it should.
    pub(crate) audit_stands: bool,
    pub(crate) target: Target,
    pub(crate) overrides: Vec<Override>,
    /// Why it goes without the backup that the environment wants.
    pub(crate) without_backup: Option<String>,
    /// What other databases have proven.
    pub(crate) shared_proofs: Option<Arc<SharedProofs>>,
    /// Asked before each contract.
    pub(crate) contract_hold: Hold,
    /// Why contracts are taken whatever it says.
    pub(crate) despite_hold: Option<String>,
}

/// The session that works and the one beside it.
pub(crate) struct Sessions {
    pub conn: AdminConn,
    pub beside: Beside,
}

/// How the steps ended together.
pub(crate) struct StepsEnd {
    pub outcome: Outcome,
    pub done: Vec<MigrationId>,
    pub not_tried: Vec<(MigrationId, String)>,
    pub error: Option<Box<EngineError>>,
}

impl PreparedRun {
    /// What it will do.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Does it. Whatever happens is in the report.
    pub async fn execute(mut self) -> RunReport {
        let begun = Instant::now();
        let sessions = self.sessions.take();
        self.context.events.send(Event::Planned {
            migrations: self.plan.migrations.iter().map(|m| m.migration.clone()).collect(),
            dry_run: self.dry_run,
        });
        let result = match &sessions {
            None => self.nothing_to_send(),
            Some(sessions) => {
                let settings = &self.project.catalogue.run;
                let hands = Hands { conn: &sessions.conn, beside: &sessions.beside, settings, context: &self.context };
                if self.dry_run { dry::run(&self, &hands).await } else { self.steps(&hands).await }
            }
        };
        let mut audit_head = None;
        if let Some(Sessions { conn, beside }) = sessions {
            // Where sessions are spared nobody keeps the head elsewhere: the seal waits for whoever looks at the log.
            if !self.dry_run && beside.holder().is_some() {
                audit_head = audit::try_seal(&conn).await;
            }
            conn.close().await;
            beside.close().await;
        }
        let duration_ms = begun.elapsed().as_millis() as u64;
        self.context.events.send(Event::Finished { outcome: result.outcome, done: result.done.len(), duration_ms });
        RunReport {
            run_id: self.context.run_id,
            outcome: result.outcome,
            done: result.done,
            not_tried: result.not_tried,
            error: result.error,
            duration_ms,
            audit_head,
        }
    }

    fn nothing_to_send(&self) -> StepsEnd {
        let why = "the database does not exist yet; a run creates it";
        let not_tried = self.plan.migrations.iter().map(|m| (m.migration.clone(), why.to_owned())).collect();
        StepsEnd { outcome: Outcome::Completed, done: Vec::new(), not_tried, error: None }
    }

    async fn steps(&self, hands: &Hands<'_>) -> StepsEnd {
        let mut result = StepsEnd { outcome: Outcome::Completed, done: Vec::new(), not_tried: Vec::new(), error: None };
        let mut goes_out_with_the_first = self.audit_stands && self.begins_with_a_migration();
        let mut audited =
            goes_out_with_the_first || self.installed && audit::begin(hands.conn, self.context.run_id).await;
        if self.plan.prepares_target && self.direction == Direction::Up {
            self.context
                .events
                .send(Event::Preparing { what: "roles, schemas and grants of the catalogue".to_owned() });
            if let Err(error) = prepare::prepare(
                hands.conn,
                &self.project.catalogue,
                self.installed,
                self.prepared_before,
                &self.context.cancel,
            )
            .await
            {
                result.outcome = Outcome::Failed;
                result.error = Some(Box::new(error));
                return result;
            }
        }
        if !self.installed {
            audited = audit::begin(hands.conn, self.context.run_id).await;
        }
        let passed_by = [("backup", &self.without_backup), ("contract", &self.despite_hold)];
        for (gate, reason) in passed_by.into_iter().filter_map(|(gate, reason)| Some((gate, reason.as_ref()?))) {
            if let Err(error) = proof::remember(hands, gate, reason).await {
                result.outcome = Outcome::Failed;
                result.error = Some(Box::new(error));
                return result;
            }
        }
        if self.direction == Direction::Up
            && let Err(error) = Box::pin(proof::require(self, hands)).await
        {
            result.outcome = if error.code == ErrorCode::Cancelled { Outcome::Cancelled } else { Outcome::Failed };
            result.error = Some(error);
            return result;
        }
        if let Err(error) = self.may_take_back().await {
            if let Some(first) = self.plan.migrations.first() {
                self.failed(&mut result, &first.migration, Box::new(error));
            }
            return result;
        }
        self.look_ahead(hands).await;
        let mut next = None;
        for (index, planned) in self.plan.migrations.iter().enumerate() {
            let step = match next.take().unwrap_or_else(|| self.step(index)) {
                Ok(step) => step,
                Err(error) => {
                    self.failed(&mut result, &planned.migration, Box::new(error));
                    return result;
                }
            };
            if let Err(error) = self.may_contract(planned).await {
                self.failed(&mut result, &planned.migration, Box::new(error));
                return result;
            }
            self.announce(index);
            let opening =
                std::mem::take(&mut goes_out_with_the_first).then(|| audit::open(hands.conn, self.context.run_id));
            let opened = async {
                if let Some(opening) = opening {
                    opening.heard().await;
                }
            };
            let ended = if step.transactional {
                let (ended, following, ()) =
                    tokio::join!(apply::apply(hands, &step), self.step_ahead(index + 1), opened);
                next = following;
                ended
            } else {
                opened.await;
                // It commits in the middle, and what it did is looked up from beside.
                if let Err(error) = hands.beside.watch().await {
                    self.failed(&mut result, &planned.migration, Box::new(error.migration(&planned.migration)));
                    return result;
                }
                // What stays of it should it stop in the middle is recorded command by command.
                audit::mark(hands.conn, self.context.run_id, audit::Telling::Triggers).await;
                let journal = &self.work[index].journal;
                if step.script().has_backfill() {
                    Box::pin(backfill::apply(hands, &step, journal, self.may_contract_part(planned))).await
                } else {
                    stepwise::apply(hands, &step, journal).await
                }
            };
            if audited && !step.transactional {
                audit::mark(hands.conn, self.context.run_id, audit::Telling::Engine).await;
            }
            match ended {
                Ok(duration_ms) => {
                    self.context.events.send(Event::MigrationFinished { migration: step.id.clone(), duration_ms });
                    result.done.push(step.id);
                }
                Err(StepEnd::Cancelled) => {
                    result.outcome = Outcome::Cancelled;
                    result.error = Some(Box::new(
                        EngineError::new(ErrorCode::Cancelled, format!("cancelled in {}", step.id))
                            .cure("run again to go on: what was in hand was taken back")
                            .migration(&step.id),
                    ));
                    return result;
                }
                Err(StepEnd::Failed(error)) => {
                    self.remember(hands, &step, &error).await;
                    self.failed(&mut result, &step.id, error);
                    return result;
                }
            }
        }
        result
    }

    /// Nothing else is to be sent before.
    fn begins_with_a_migration(&self) -> bool {
        let environment = self.project.catalogue.environment(&self.target.environment);
        let is_straight = self.overrides.is_empty() && self.without_backup.is_none() && self.despite_hold.is_none();
        is_straight
            && (self.direction == Direction::Down
                || !self.plan.prepares_target && environment.is_ok_and(|one| one.required_gates().is_empty()))
    }

    /// Tells who holds, and has held for long, what the run is going to lock.
    async fn look_ahead(&self, hands: &Hands<'_>) {
        // Where no session is beside, nobody listens either.
        let Some(beside) = hands.beside.opened().filter(|_| !self.plan.touches.is_empty()) else { return };
        let longest = Duration::from_millis(hands.settings.blocking_budget_ms);
        let blockers = lock::in_the_way(beside, &self.plan.touches, longest).await;
        if !blockers.is_empty() {
            self.context.events.send(Event::InTheWay { blockers });
        }
    }

    fn failed(&self, result: &mut StepsEnd, id: &MigrationId, error: Box<EngineError>) {
        self.context.events.send(Event::MigrationFailed { migration: id.clone(), error: error.clone() });
        result.outcome = Outcome::Failed;
        result.error = Some(error);
    }

    /// Writes down why an up failed, so that the status says so. Where the server is gone, nobody can.
    async fn remember(&self, hands: &Hands<'_>, step: &Step, error: &EngineError) {
        if error.sql.as_ref().is_some_and(|sql| confine::was_tampered(sql))
            && let Err(error) = hands.conn.batch(store::FORGET_CATALOGUE).await
        {
            tracing::warn!(%error, "the target could not be marked to be prepared anew");
        }
        let Record::Applied { checksum, .. } = &step.record else { return };
        let Ok(json) = serde_json::to_string(error) else { return };
        if let Err(error) = hands.conn.batch(&store::failure(&step.id, checksum, &json, self.context.run_id)).await {
            tracing::warn!(migration = %step.id, %error, "the failure could not be recorded");
        }
    }

    pub(crate) fn announce(&self, index: usize) {
        let planned = &self.plan.migrations[index];
        self.context.events.send(Event::MigrationStarted {
            migration: planned.migration.clone(),
            service: planned.service.clone(),
            name: planned.name.clone(),
            index: index + 1,
            total: self.plan.migrations.len(),
            statements: planned.statements,
            transactional: planned.transactional,
            late: planned.late,
        });
    }

    /// The same as [`step`](Self::step), in the time that the server takes for the one before. `None` after the last.
    async fn step_ahead(&self, index: usize) -> Option<Result<Step, EngineError>> {
        // First the message of the one before goes out.
        tokio::task::yield_now().await;
        (index < self.plan.migrations.len()).then(|| self.step(index))
    }

    /// Reads what the step at `index` runs. Its SQL lives only as long as the step.
    pub(crate) fn step(&self, index: usize) -> Result<Step, EngineError> {
        let planned = &self.plan.migrations[index];
        let work = &self.work[index];
        let id = planned.migration.clone();
        let (text, owner, record) = match &work.origin {
            Origin::File { hash } => {
                let migration = self.project.migration(&id).ok_or_else(|| {
                    EngineError::new(ErrorCode::UnknownMigration, format!("there is no migration {id}"))
                })?;
                let up_sql = self.project.up_sql(migration)?;
                let down_sql = self.project.down_sql(migration)?;
                let file_hash = self.project.up_hash(migration, &up_sql)?;
                if file_hash != *hash {
                    return Err(EngineError::new(
                        ErrorCode::Edited,
                        format!("{} was edited while the run was under way", migration.up),
                    )
                    .cure("run again: it is planned anew")
                    .migration(&id));
                }
                let owner = self.project.catalogue.service(&migration.service)?.owner_role().unwrap_or_default();
                let text = Text::new(migration.up.clone(), up_sql.clone(), &id.schema, planned.cuts.clone());
                let checksum = sql_grammar::checksum(&up_sql);
                (text, owner, Record::Applied { checksum, file_hash, up_sql, down_sql })
            }
            Origin::History { owner, down_sql, .. } | Origin::Begun { owner, down_sql } => {
                let record = match &work.origin {
                    Origin::History { row, .. } => Record::RolledBack { row: *row },
                    _ => Record::Withdrawn,
                };
                let file = rollback::file(&work.origin, &id);
                (Text::new(file, down_sql.clone(), &id.schema, planned.cuts.clone()), owner.clone(), record)
            }
        };
        Ok(Step {
            id,
            service: planned.service.clone(),
            name: planned.name.clone(),
            owner,
            direction: self.direction,
            text,
            transactional: planned.transactional,
            sets_session: planned.sets_session,
            has_leftovers: work.has_leftovers || !planned.transactional,
            late: planned.late,
            record,
        })
    }
}
