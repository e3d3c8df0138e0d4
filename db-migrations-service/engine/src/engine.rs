//! The public face: one project against one target.

use std::collections::BTreeMap;
use std::sync::Arc;

use postgres_link::{AdminConn, ConnectOptions};

use crate::adopt::{AdoptRequest, AdoptionReport, refuse_unadopted};
use crate::compare::{self, Comparison};
use crate::error::EngineError;
use crate::hold::Hold;
use crate::migration::MigrationId;
use crate::plan::Plan;
use crate::planning;
use crate::project::Project;
use crate::proof::certificate;
use crate::proof::data::Filled;
use crate::proof::drift::adopt::{self, Adoption, Undoing};
use crate::proof::drift::{self, DriftReport, Fingerprints};
use crate::proof::report::Report;
use crate::proof::{self, ValidateRequest};
use crate::request::{HistoryFilter, RollbackRequest, RunContext, RunRequest, Scope};
use crate::run::beside::Beside;
use crate::run::execute::{Origin, PreparedRun, Sessions, Work};
use crate::run::rollback;
use crate::status::{HistoryEntry, SeedReport, SeedStatus, TargetStatus};
use crate::target::at_once::{self, Begun};
use crate::target::store::{Direction, State};
use crate::target::{lock, prepare, session, store};
use crate::{audit, history, seeds};

/// One database in one environment.
#[derive(Debug, Clone)]
pub struct Target {
    /// The environment's name in the catalogue.
    pub environment: String,
    /// How to reach its database, as a user who may create roles and schemas.
    pub connect: ConnectOptions,
    /// Create the database when it does not exist (connecting to `postgres` on the same server to do so).
    pub create_database: bool,
}

/// A project against a target. Cheap to make; connects anew for every call.
#[derive(Debug, Clone)]
pub struct Engine {
    project: Arc<Project>,
    pub(crate) target: Target,
    spares_sessions: bool,
}

impl Engine {
    /// Brings a project and a target together, of which the target has the services that live in it; nothing is read or
    /// connected yet.
    #[expect(clippy::needless_pass_by_value, reason = "whoever makes an engine gives the project to it")]
    pub fn new(project: Arc<Project>, target: Target) -> Self {
        Self { project: project.on(&target.environment), target, spares_sessions: false }
    }

    /// Works with one session where a second one is not needed: for a run over many databases, whose sessions are most of its cost.
    /// Nothing looks ahead at who is in the way, and the audit is sealed by whoever looks at it next.
    #[must_use]
    pub fn sparing_sessions(self) -> Self {
        Self { spares_sessions: true, ..self }
    }

    /// The project.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// Where the target stands. One round trip after connecting; the files are hashed meanwhile.
    pub async fn status(&self) -> Result<TargetStatus, EngineError> {
        let (conn, state, comparison) = self.look("profe migrate status").await?;
        let prepared = self.is_prepared(&state);
        Ok(TargetStatus {
            environment: self.target.environment.clone(),
            database: self.target.connect.database().to_owned(),
            server_version_num: conn.map_or(0, |c| c.server_version_num()),
            services: compare::by_service(&self.project, &comparison, &state),
            prepared,
            audit_off: state.installed.then(|| audit::off(state.audit.as_deref())).flatten(),
        })
    }

    /// How many migrations a run would apply for which no certificate was given to their present files, by service; absent
    /// where that is none. That the live schema is still the one they were proven on is not looked at: that takes a snapshot.
    pub async fn uncertified(&self) -> Result<BTreeMap<String, usize>, EngineError> {
        let (conn, _, comparison) = self.look("profe monitor").await?;
        let certificates = match &conn {
            Some(conn) => certificate::read(conn).await?,
            None => BTreeMap::new(),
        };
        let mut missing = BTreeMap::new();
        for (migration, _) in self.project.migrations().iter().zip(&comparison.open).filter(|(_, open)| **open) {
            let hash = |sql: String| sql_grammar::sha256_hex(sql.as_bytes());
            let up = self.project.up_hash(migration, &self.project.up_sql(migration)?)?;
            let down = hash(self.project.down_sql(migration)?);
            let holds = certificates.get(&migration.id).is_some_and(|c| c.up_hash == up && c.down_hash == down);
            if !holds {
                *missing.entry(migration.service.clone()).or_default() += 1;
            }
        }
        Ok(missing)
    }

    /// What a run would do; takes no lock and changes nothing.
    pub async fn plan(&self, scope: &Scope, with_sql: bool) -> Result<Plan, EngineError> {
        let (conn, state, comparison) = self.look("profe migrate plan").await?;
        let mut plan = planning::plan(&self.project, &state, &comparison, scope, None, conn.as_ref()).await?;
        if with_sql {
            for planned in &mut plan.migrations {
                if let Some(migration) = self.project.migration(&planned.migration) {
                    planned.sql = Some(self.project.up_sql(migration)?);
                }
            }
        }
        Ok(plan)
    }

    /// Plans a run and takes the lock. Everything that can be refused beforehand is refused here. Where nothing is
    /// pending no lock is taken and the run ends at once.
    pub async fn prepare_run(&self, request: RunRequest, context: RunContext) -> Result<PreparedRun, EngineError> {
        if let Scope::Service(service) = &request.scope {
            self.project.catalogue.service(service)?;
        }
        let hashes = compare::hash_files(&self.project);
        let name =
            lock::session_name(if request.dry_run { "dry run" } else { "migrate" }, &context.actor, context.run_id);
        let conn = async {
            if request.dry_run {
                session::open_existing(&self.target, &name).await
            } else {
                session::open_or_create(&self.target, &name).await.map(Some)
            }
        };
        let (hashes, conn) = tokio::join!(hashes, conn);
        let (hashes, conn) = (hashes?, conn?);
        let Begun { mut state, is_locked, audit_stands } = match &conn {
            Some(conn) if self.spares_sessions => at_once::begin(conn, &self.project.catalogue).await?,
            Some(conn) => Begun { state: store::read(conn).await?, ..Begun::default() },
            None => Begun::default(),
        };
        let mut comparison = compare::compare(&self.project, &hashes, &state)?;
        if let Some(conn) = conn.as_ref().filter(|_| comparison.has_open()) {
            refuse_unadopted(conn, &self.project, &state, &request.scope).await?;
        }
        let has_work = comparison.has_open() || !self.is_prepared(&state);
        let mut sessions = None;
        match conn {
            Some(conn) if has_work => {
                session::check_writable(&conn, &self.target)?;
                let held = self.lock(conn, &name, &context, is_locked).await?;
                if !is_locked {
                    // Only now nothing changes under the plan any more.
                    state = store::read(&held.conn).await?;
                    comparison = compare::compare(&self.project, &hashes, &state)?;
                }
                sessions = Some(held);
            }
            // Its lock was not needed, and shall be free when this returns.
            Some(conn) if is_locked => conn.close().await,
            _ => {}
        }
        let conn = sessions.as_ref().map(|s| &s.conn);
        let plan =
            planning::plan(&self.project, &state, &comparison, &request.scope, request.to.as_ref(), conn).await?;
        let work = plan
            .migrations
            .iter()
            .map(|planned| Work {
                origin: Origin::File {
                    hash: self.project.place(&planned.migration).map(|at| hashes[at].clone()).unwrap_or_default(),
                },
                journal: state.journal.get(&(planned.migration.clone(), Direction::Up)).cloned().unwrap_or_default(),
                has_leftovers: state.has_leftovers(&planned.migration),
            })
            .collect();
        Ok(PreparedRun {
            project: Arc::clone(&self.project),
            plan,
            work,
            direction: Direction::Up,
            dry_run: request.dry_run,
            context,
            sessions,
            installed: state.installed,
            prepared_before: state.catalogue.is_some(),
            audit_stands,
            target: self.target.clone(),
            overrides: request.overrides,
            without_backup: None,
            shared_proofs: None,
            contract_hold: Hold::none(),
            despite_hold: None,
        })
    }

    /// Looks through the gates at what is pending, or at the whole set, on a scratch database of the target's server.
    /// Changes nothing in the target's schemas; what was proven is kept in it as certificates.
    pub async fn validate(&self, request: &ValidateRequest, context: &RunContext) -> Result<Report, EngineError> {
        proof::validate(&self.project, &self.target, request, None, context).await
    }

    /// The same, rehearsed on rows: in `filled` instead of a database without any, which stays for the caller to drop.
    ///
    /// # Errors
    /// Also where `filled` cannot be brought to where the target stands.
    pub async fn validate_on(
        &self,
        filled: &Filled,
        request: &ValidateRequest,
        context: &RunContext,
    ) -> Result<Report, EngineError> {
        proof::validate(&self.project, &self.target, request, Some(filled), context).await
    }

    /// Holds the live schemas against what the target's history makes of an empty database. Changes nothing.
    ///
    /// # Errors
    /// The target has no database yet; what was applied cannot be applied to an empty one; no scratch database may be made.
    pub async fn drift(&self, scope: &Scope, context: &RunContext) -> Result<DriftReport, EngineError> {
        drift::drift(&self.project, &self.target, scope, context).await
    }

    /// The live fingerprints and the one that the newest certificate promised; cheap.
    ///
    /// # Errors
    /// The target has no database yet, or is away.
    pub async fn fingerprints(&self) -> Result<Fingerprints, EngineError> {
        drift::fingerprints(&self.project, &self.target).await
    }

    /// The SQL that undoes drift, tried on a throwaway database. Nothing is changed.
    ///
    /// # Errors
    /// As [`drift`](Self::drift).
    pub async fn undo_drift(&self, scope: &Scope, context: &RunContext) -> Result<Undoing, EngineError> {
        Box::pin(adopt::undo(&self.project, &self.target, scope, context)).await
    }

    /// The migration that would make the drift of `schema`, tried on a throwaway database. Nothing is changed.
    ///
    /// # Errors
    /// As [`drift`](Self::drift); a schema that nobody owns.
    pub async fn propose_adoption(&self, schema: &str, context: &RunContext) -> Result<Adoption, EngineError> {
        Box::pin(adopt::propose(&self.project, &self.target, schema, context)).await
    }

    /// Records a migration of the project as applied here without running it, because drift has made what it makes;
    /// `align` ([`Adoption::align`]) is run with it, in one transaction.
    ///
    /// # Errors
    /// No such file, a busy target, a refusal of the server: nothing was changed.
    pub async fn adopt(&self, id: &MigrationId, align: &[String], context: &RunContext) -> Result<(), EngineError> {
        adopt::adopt(&self.project, &self.target, id, align, context).await
    }

    /// Takes over a folder that another tool has run here. One transaction: all of it is there afterwards, or nothing.
    ///
    /// # Errors
    /// A history that says that something is unfinished, edited or gone; files that make another schema than the live one;
    /// objects that no service of the catalogue has a place for; a busy target.
    pub async fn adopt_folder(
        &self,
        request: &AdoptRequest,
        context: &RunContext,
    ) -> Result<AdoptionReport, EngineError> {
        Box::pin(crate::adopt::adopt(&self.project, &self.target, request, context)).await
    }

    /// What a rollback would do (with the down SQL); refused with the list while something applied depends on it.
    pub async fn plan_rollback(&self, request: &RollbackRequest) -> Result<Plan, EngineError> {
        let Some(conn) = session::open_existing(&self.target, "profe migrate plan").await? else {
            return Ok(Plan::default());
        };
        let state = store::read(&conn).await?;
        rollback::plan(&conn, &self.project.catalogue, &state, request).await.map(|(plan, _)| plan)
    }

    /// Plans a rollback and takes the lock.
    pub async fn prepare_rollback(
        &self,
        request: RollbackRequest,
        context: RunContext,
    ) -> Result<PreparedRun, EngineError> {
        let name = lock::session_name("rollback", &context.actor, context.run_id);
        let conn = session::open(&self.target, &name).await?;
        session::check_writable(&conn, &self.target)?;
        let begun =
            if self.spares_sessions { at_once::begin(&conn, &self.project.catalogue).await? } else { Begun::default() };
        let sessions = self.lock(conn, &name, &context, begun.is_locked).await?;
        let conn = &sessions.conn;
        let state = if begun.is_locked { begun.state } else { store::read(conn).await? };
        let request = rollback::less_what_is_done(conn, request, context.run_id).await?;
        let (plan, work) = rollback::plan(conn, &self.project.catalogue, &state, &request).await?;
        Ok(PreparedRun {
            project: Arc::clone(&self.project),
            plan,
            work,
            direction: Direction::Down,
            dry_run: request.dry_run,
            context,
            sessions: Some(sessions),
            installed: state.installed,
            prepared_before: state.catalogue.is_some(),
            audit_stands: begun.audit_stands,
            target: self.target.clone(),
            overrides: Vec::new(),
            without_backup: None,
            shared_proofs: None,
            contract_hold: Hold::none(),
            despite_hold: None,
        })
    }

    /// What happened here, newest first.
    pub async fn history(&self, filter: &HistoryFilter) -> Result<Vec<HistoryEntry>, EngineError> {
        match session::open_existing(&self.target, "profe migrate history").await? {
            Some(conn) => history::read(&conn, filter).await,
            None => Ok(Vec::new()),
        }
    }

    /// Accepts the present files of one edited migration as the applied ones, on record, its down SQL included.
    /// Returns old and new checksum.
    pub async fn bless(
        &self,
        migration: &MigrationId,
        reason: &str,
        actor: &str,
    ) -> Result<(String, String), EngineError> {
        let conn = session::open(&self.target, "profe migrate repair").await?;
        history::bless(&conn, &self.project, migration, reason, actor).await
    }

    /// Runs the seeds of the scope that fit the environment, whether or not they ran before: they are idempotent.
    pub async fn seed(&self, scope: &Scope, context: RunContext) -> Result<SeedReport, EngineError> {
        seeds::run(&self.project, &self.target, scope, &context, false).await
    }

    /// Which seeds ran here.
    pub async fn seed_status(&self) -> Result<Vec<SeedStatus>, EngineError> {
        seeds::status(&self.project, &self.target).await
    }

    /// Empties the tables of the scope and seeds it again. Refused where the environment is protected.
    pub async fn seed_reset(&self, scope: &Scope, context: RunContext) -> Result<SeedReport, EngineError> {
        seeds::run(&self.project, &self.target, scope, &context, true).await
    }

    /// The SQL with which a superuser can prepare the target for `user`, who may not create roles.
    pub fn preparation_script(&self, user: &str) -> String {
        prepare::script(&self.project.catalogue, user)
    }

    fn is_prepared(&self, state: &State) -> bool {
        state.is_prepared_for(&self.project.catalogue)
    }

    /// Takes the target's lock where `conn` does not have it yet, and makes `conn` the session that works under it.
    async fn lock(
        &self,
        conn: AdminConn,
        name: &str,
        context: &RunContext,
        is_locked: bool,
    ) -> Result<Sessions, EngineError> {
        if is_locked {
            return Ok(Sessions { conn, beside: Beside::later(self.target.clone(), name.to_owned()) });
        }
        let beside = if self.spares_sessions {
            lock::acquire(&conn, context.wait_for_lock).await?;
            lock::end_with_client(&conn).await;
            Beside::later(self.target.clone(), name.to_owned())
        } else {
            let guard = session::open(&self.target, name).await?;
            lock::acquire(&guard, context.wait_for_lock).await?;
            Beside::holding(guard)
        };
        lock::claim_work(&conn).await?;
        Ok(Sessions { conn, beside })
    }

    /// Connects and reads while the files are hashed.
    async fn look(&self, what: &str) -> Result<(Option<AdminConn>, State, Comparison), EngineError> {
        let read = async {
            let conn = session::open_existing(&self.target, what).await?;
            let state = match &conn {
                Some(conn) => store::read(conn).await?,
                None => State::default(),
            };
            Ok::<_, EngineError>((conn, state))
        };
        let (hashes, read) = tokio::join!(compare::hash_files(&self.project), read);
        let (conn, state) = read?;
        let comparison = compare::compare(&self.project, &hashes?, &state)?;
        Ok((conn, state, comparison))
    }
}
