//! The task that looks at every target from time to time, and at the service's own database.
//!
//! Each target has one session that stays open between looks: when a server has no connection left, that is what is to be
//! told, and a new one could not be had. A look is one batch of small questions that wait for nobody's locks; what takes
//! longer – counting migrations, measuring schemas – is asked only where something has moved, or seldom.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use backup_vault::storage::folder_of;
use futures_util::future::join_all;
use migration_engine::Target;
use migration_engine::proof::report::Gate;
use postgres_link::quote::identifier;
use postgres_link::{AdminConn, BatchError, BatchOutcome, ConnectError, ConnectErrorKind, sqlstate};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::disk::{Asker, data_room, room};
use super::history::{Reading, SESSION_STATES};
use super::sample::{Condition, Figures, MasterSample, Migrations, TargetSample, Trouble};
use crate::operations::Operations;

/// A target that has not answered by then is down.
const PATIENCE: Duration = Duration::from_secs(10);
/// Files come and go without a word: so often migrations are counted where the history has not moved.
const COUNT_AGAIN: Duration = Duration::from_mins(1);
/// A schema's size is the sum of all its files, which are many.
const MEASURE_AGAIN: Duration = Duration::from_mins(5);
/// Where the answer stands in a batch that begins with three settings.
const ANSWER: usize = 3;

impl Operations {
    /// Looks at everything each `interval` until `shutdown`.
    pub(crate) async fn sample(&self, interval: Duration, shutdown: &CancellationToken) {
        self.keep_alerts_while(Box::pin(self.sample_on(interval, shutdown))).await;
    }

    async fn sample_on(&self, interval: Duration, shutdown: &CancellationToken) {
        let mut round = Round::of(self);
        let mut beat = tokio::time::interval(interval);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(beat.tick()).await.is_some() {
            let look = async {
                round.go().await;
                self.evaluate_alerts_in_turn().await;
            };
            if shutdown.run_until_cancelled(Box::pin(look)).await.is_none() {
                return;
            }
        }
    }

    /// Looks at everything once, for whoever does not wait for the next beat.
    pub async fn sample_now(&self) {
        Box::pin(Round::of(self).go()).await;
    }

    async fn sample_master(&self) {
        let at = OffsetDateTime::now_utc();
        let (figures, counted) = tokio::join!(self.master().figures(), self.monitor().meters().settle(self.master()));
        // Of a master database that is away the figures tell.
        drop(counted);
        let figures = figures.map_err(|error| error.to_string());
        self.monitor().samples().put(|snapshot| snapshot.master = Some(Arc::new(MasterSample { at, figures })));
    }

    async fn sample_backup_disk(&self, asker: &mut Asker) {
        let Some(folder) = self.backup_place().and_then(|place| folder_of(place.url()?)) else { return };
        let room = asker.ask(move || room(&folder)).await;
        self.monitor().samples().put(|snapshot| snapshot.backup_room = room);
    }
}

/// A look at everything, with what it needs to know of the one before.
struct Round<'a> {
    operations: &'a Operations,
    targets: Vec<Looker<'a>>,
    backup_disk: Asker,
}

impl<'a> Round<'a> {
    fn of(operations: &'a Operations) -> Self {
        let targets = operations.targets().all().iter().filter_map(|entry| entry.target.as_ref().ok());
        Self { operations, targets: targets.map(Looker::new).collect(), backup_disk: Asker::default() }
    }

    async fn go(&mut self) {
        let operations = self.operations;
        let looks = self.targets.iter_mut().map(async |looker| {
            let sample = Arc::new(looker.look(operations).await);
            looker.keep(operations, &sample);
            // Each by itself: nobody's sample waits for somebody else's that hangs.
            operations.monitor().samples().put(|snapshot| {
                snapshot.targets.insert(looker.target.environment.clone(), sample);
            });
        });
        tokio::join!(join_all(looks), operations.sample_master(), operations.sample_backup_disk(&mut self.backup_disk));
    }
}

/// Looks at one target, and remembers what need not be asked each time.
struct Looker<'a> {
    target: &'a Target,
    session: Option<AdminConn>,
    /// Why it did not answer the last time.
    trouble: Option<Trouble>,
    /// What the history was when its migrations were counted, and when that was.
    counted: Option<(Option<String>, Instant)>,
    migrations: Option<Arc<Migrations>>,
    measured: Option<Instant>,
    sizes: Arc<BTreeMap<String, i64>>,
    /// The schema of `pg_stat_statements`, where it measures, and what it has measured in all, milliseconds.
    statements_in: Option<String>,
    statement_ms: Option<f64>,
    disk: Asker,
}

/// What a look has seen.
enum Seen {
    /// Figures, and a word for the state of the history; `None` where nothing was ever migrated.
    Target(Box<Figures>, Option<String>),
    NotCreated,
}

impl<'a> Looker<'a> {
    fn new(target: &'a Target) -> Self {
        Self {
            target,
            session: None,
            trouble: None,
            counted: None,
            migrations: None,
            measured: None,
            sizes: Arc::default(),
            statements_in: None,
            statement_ms: None,
            disk: Asker::default(),
        }
    }

    async fn look(&mut self, operations: &Operations) -> TargetSample {
        let (at, begun) = (OffsetDateTime::now_utc(), Instant::now());
        let seen = tokio::time::timeout(PATIENCE, self.ask()).await.unwrap_or_else(|_| Err(Trouble::silence()));
        let took = begun.elapsed();
        if seen.is_err() {
            // Whatever is wrong with it, the next look begins anew.
            self.session = None;
        }
        let mut room_left = None;
        let condition = match seen {
            Ok(Seen::Target(figures, history)) => {
                self.count(operations, history).await;
                self.measure().await;
                self.time_statements().await;
                if let Some(question) = data_room(&figures) {
                    room_left = self.disk.ask(question).await;
                }
                Condition::Up(figures)
            }
            Ok(Seen::NotCreated) => {
                self.count(operations, None).await;
                Condition::NotCreated
            }
            Err(trouble) => Condition::Down(trouble),
        };
        self.tell(&condition);
        TargetSample {
            database: self.target.connect.database().to_owned(),
            at,
            took,
            condition,
            migrations: self.migrations.clone(),
            schema_sizes: Arc::clone(&self.sizes),
            data_room: room_left,
        }
    }

    /// Once when the target ceases to answer, and once when it answers again.
    fn tell(&mut self, condition: &Condition) {
        let environment = self.target.environment.as_str();
        let trouble = match condition {
            Condition::Down(trouble) => Some(trouble.clone()),
            Condition::Up(_) | Condition::NotCreated => None,
        };
        match (&self.trouble, &trouble) {
            (None, Some(Trouble { sqlstate, message })) => {
                tracing::warn!(environment, sqlstate, trouble = message, "the target does not answer");
            }
            (Some(_), None) => tracing::info!(environment, "the target answers again"),
            _ => {}
        }
        self.trouble = trouble;
    }

    /// One batch on the open session.
    async fn ask(&mut self) -> Result<Seen, Trouble> {
        if self.session.as_ref().is_none_or(AdminConn::is_closed) {
            let connect = self.target.connect.clone().with_application_name("profe monitor");
            self.session = match postgres_link::connect(&connect).await {
                Ok(session) => Some(session),
                Err(error) if error.kind() == ConnectErrorKind::DatabaseMissing && self.target.create_database => {
                    return Ok(Seen::NotCreated);
                }
                Err(error) => return Err(Trouble::from(&error)),
            };
        }
        let Some(session) = &self.session else { return Err(Trouble::silence()) };
        let (figures, standing) =
            tokio::join!(session.batch(include_str!("figures.sql")), session.batch(include_str!("standing.sql")));
        let history = match standing {
            Ok(outcome) => outcome.value(ANSWER, 0).map(str::to_owned),
            Err(error)
                if matches!(error.sqlstate(), Some(sqlstate::UNDEFINED_TABLE | sqlstate::INVALID_SCHEMA_NAME)) =>
            {
                None
            }
            Err(error) => return Err(Trouble::from(&error)),
        };
        let figures = figures.map_err(|error| Trouble::from(&error))?;
        Ok(Seen::Target(Box::new(document(&figures)?), history))
    }

    /// Counts the migrations where the history moved, and from time to time.
    async fn count(&mut self, operations: &Operations, history: Option<String>) {
        let environment = self.target.environment.as_str();
        let stands = |(counted, at): &(Option<String>, Instant)| *counted == history && at.elapsed() < COUNT_AGAIN;
        if self.counted.as_ref().is_some_and(stands) {
            return;
        }
        let begun = Instant::now();
        let count = async {
            let engine = operations.engine(Some(environment))?;
            let status = engine.status().await?;
            let uncertified = match operations.catalogue().environment(environment)?.required_gates() {
                gates if gates.contains(&Gate::Rehearsed) => Some(engine.uncertified().await?),
                _ => None,
            };
            Ok(Migrations::of(&status, uncertified.as_ref()))
        };
        match tokio::time::timeout(PATIENCE, Box::pin(count)).await {
            Ok(Ok(migrations)) => {
                self.migrations = Some(Arc::new(migrations));
                self.counted = Some((history, begun));
            }
            Ok(Err(error)) => {
                let error: crate::operations::OperationError = error;
                tracing::debug!(environment, %error, "the migrations were not counted");
            }
            Err(_) => tracing::debug!(environment, "the migrations were not counted in time"),
        }
    }

    /// Measures the schemas from time to time; where somebody holds a table, at the next look.
    async fn measure(&mut self) {
        if self.measured.is_some_and(|at| at.elapsed() < MEASURE_AGAIN) {
            return;
        }
        let Some(session) = &self.session else { return };
        let begun = Instant::now();
        let both = async {
            tokio::join!(session.batch(include_str!("sizes.sql")), session.batch(include_str!("extension.sql")))
        };
        match tokio::time::timeout(PATIENCE, both).await {
            Ok((Ok(sizes), extension)) => {
                self.measured = Some(begun);
                self.sizes = document(&sizes).map(Arc::new).unwrap_or_default();
                self.statements_in = extension.ok().and_then(|outcome| outcome.value(ANSWER, 0).map(str::to_owned));
            }
            Ok((Err(error), _)) => tracing::debug!(%error, "the schemas were not measured"),
            Err(_) => self.session = None,
        }
    }

    /// How long statements took in all, without their texts, which are what is large about them.
    async fn time_statements(&mut self) {
        self.statement_ms = None;
        let (Some(session), Some(schema)) = (&self.session, &self.statements_in) else { return };
        let question = format!(
            "SET LOCAL transaction_read_only = on; SET LOCAL statement_timeout = '5s'; SET LOCAL lock_timeout = '100ms'; \
             SELECT sum(total_exec_time) FROM {}.pg_stat_statements(false) \
             WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())",
            identifier(schema)
        );
        match tokio::time::timeout(PATIENCE, session.batch(&question)).await {
            Ok(Ok(outcome)) => self.statement_ms = outcome.value(ANSWER, 0).and_then(|text| text.parse().ok()),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the time that statements take was not read");
                self.statements_in = None;
            }
            Err(_) => self.session = None,
        }
    }

    /// Puts what is kept of a look into the history.
    fn keep(&self, operations: &Operations, sample: &TargetSample) {
        let Condition::Up(figures) = &sample.condition else { return };
        let reading = Reading {
            size_bytes: figures.size_bytes,
            sessions: SESSION_STATES.map(|state| figures.sessions.get(state).copied().unwrap_or_default()),
            commits: figures.database.get("xact_commit").copied().unwrap_or_default(),
            statement_ms: self.statement_ms,
        };
        operations.monitor().history().record(&self.target.environment, sample.at, reading);
    }
}

/// The one document that a batch answers with.
fn document<T: DeserializeOwned>(outcome: &BatchOutcome) -> Result<T, Trouble> {
    serde_json::from_str(outcome.value(ANSWER, 0).unwrap_or_default()).map_err(|error| Trouble {
        sqlstate: None,
        message: format!("the server's statistics could not be read: {error}"),
    })
}

impl Trouble {
    fn silence() -> Self {
        Self { sqlstate: None, message: format!("it did not answer within {} s", PATIENCE.as_secs()) }
    }
}

impl From<&ConnectError> for Trouble {
    fn from(error: &ConnectError) -> Self {
        Self { sqlstate: error.sql_error().map(|sql| sql.sqlstate.clone()), message: error.to_string() }
    }
}

impl From<&BatchError> for Trouble {
    fn from(error: &BatchError) -> Self {
        Self { sqlstate: error.sqlstate().map(str::to_owned), message: error.to_string() }
    }
}
