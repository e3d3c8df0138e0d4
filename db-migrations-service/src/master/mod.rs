//! The service's own tables: API tokens, runs and their events, backups, answers kept for repeated requests, what was found on
//! the targets that did not come through the service, alerts.
//!
//! They live in the schema `migration_service` of the master database, beside the engine's when that database is a
//! target too, under names of their own. The service creates and upgrades them itself. One session serves all: every
//! call is a single statement, so calls share it without waiting for each other, and it is opened anew when it broke.
//! What has to outlive the loss of this database (which migrations are applied) is not here but in each target.

pub mod alerts;
pub mod anchor_file;
mod audit;
pub mod backups;
mod clock;
mod error;
pub mod events;
pub mod figures;
pub mod findings;
pub mod fleets;
pub mod idempotency;
pub mod instance;
pub mod looks;
pub mod meters;
pub mod releases;
pub mod restores;
mod run_record;
pub mod runs;
pub mod schedules;
mod schema;
pub mod takeover;
pub mod tokens;
pub mod webhooks;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use postgres_link::tokio_postgres::Row;
use postgres_link::tokio_postgres::types::{ToSql, Type};
use postgres_link::{AdminConn, ConnectErrorKind};
use tokio::sync::Mutex;

pub use error::MasterError;
pub use instance::Instance;

use crate::targets::MasterTarget;
use anchor_file::AnchorFile;

/// No statement here takes longer on a healthy server; without it a half-open connection would hold requests for ever.
const PATIENCE: Duration = Duration::from_secs(15);

/// One parameter with its type, so that a statement needs no round trip for preparing.
type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// A handle on the master database. Cheap to clone; connects when it is first needed.
#[derive(Clone, Debug)]
pub struct Master(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    target: MasterTarget,
    instance: Instance,
    session: Mutex<Held>,
    clock: clock::MasterClock,
    anchor_file: OnceLock<Arc<AnchorFile>>,
    /// The tables were found to be ones that this program knows.
    has_worked: AtomicBool,
}

/// The session that all share, and when it was last tried in vain to open one.
#[derive(Debug, Default)]
struct Held {
    session: Option<Arc<AdminConn>>,
    failed: Option<(Instant, MasterError)>,
}

impl Master {
    /// Takes note of where the database is.
    pub fn new(target: MasterTarget) -> Self {
        let connect = target.connect.with_application_name("profe master");
        let target = MasterTarget { connect, ..target };
        Self(Arc::new(Inner {
            target,
            instance: Instance::current(),
            session: Mutex::default(),
            clock: clock::MasterClock::default(),
            anchor_file: OnceLock::new(),
            has_worked: AtomicBool::new(false),
        }))
    }

    /// This process, as run records name it.
    pub fn instance(&self) -> &Instance {
        &self.0.instance
    }

    /// `host:port/database`, for people.
    pub fn place(&self) -> String {
        format!("{}/{}", self.0.target.connect.host_summary(), self.0.target.connect.database())
    }

    /// Connects, brings the tables up to date, and settles what a dead process left behind. Returns the server's
    /// version as in `server_version_num`.
    ///
    /// # Errors
    /// When the database cannot be reached, or holds tables of a newer program.
    pub async fn start(&self) -> Result<u32, MasterError> {
        let version = self.session().await?.server_version_num();
        let interrupted = self.settle_runs().await?;
        if interrupted > 0 {
            tracing::warn!(runs = interrupted, "runs of a process that is gone were marked as interrupted");
        }
        let unmade = self.settle_backups().await?;
        if unmade > 0 {
            tracing::warn!(backups = unmade, "backups of a process that is gone were marked as interrupted");
        }
        let unrestored = self.settle_restores().await?;
        if unrestored > 0 {
            tracing::warn!(restores = unrestored, "restores of a process that is gone were marked as interrupted");
        }
        self.forget_old().await?;
        Ok(version)
    }

    /// Asks the database for its version: the cheapest proof that it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<u32, MasterError> {
        let rows = self.query("SELECT clock_timestamp()", &[]).await?;
        if let Some(row) = rows.first() {
            self.0.clock.set(row.get(0));
        }
        Ok(self.session().await?.server_version_num())
    }

    async fn session(&self) -> Result<Arc<AdminConn>, MasterError> {
        let asked = Instant::now();
        let mut held = self.0.session.lock().await;
        if let Some(session) = held.session.as_ref().filter(|session| !session.is_closed()) {
            return Ok(Arc::clone(session));
        }
        // Those who waited for one attempt share its failure: one after the other, each would wait for its own.
        if let Some((_, error)) = held.failed.as_ref().filter(|(at, _)| *at > asked) {
            return Err(error.clone());
        }
        match self.open().await {
            Ok(session) => {
                let session = Arc::new(session);
                *held = Held { session: Some(Arc::clone(&session)), failed: None };
                Ok(session)
            }
            Err(error) => {
                held.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn open(&self) -> Result<AdminConn, MasterError> {
        // What is kept here needs nothing of a session: all is done in single statements and transactions.
        let connect = &self.0.target.connect.clone().through_any_pooler();
        let session = match postgres_link::connect(connect).await {
            Err(error) if error.kind() == ConnectErrorKind::DatabaseMissing && self.0.target.create_database => {
                schema::create_database(connect).await?;
                postgres_link::connect(connect).await?
            }
            other => other?,
        };
        let has_worked = self.0.has_worked.load(Ordering::Relaxed);
        if let Some(now) = schema::bring_up_to_date(&session, has_worked).await? {
            self.0.clock.set(now);
        }
        self.0.has_worked.store(true, Ordering::Relaxed);
        Ok(session)
    }

    /// One statement, one round trip. The statement's text is a constant of this program; values go as parameters.
    async fn query(&self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, MasterError> {
        let session = self.session().await?;
        let Ok(result) = tokio::time::timeout(PATIENCE, session.client().query_typed(sql, params)).await else {
            // What was sent may still run there; a new session keeps later calls from queueing behind it.
            self.0.session.lock().await.session = None;
            return Err(MasterError::unavailable(format!(
                "{} did not answer within {} s",
                self.place(),
                PATIENCE.as_secs()
            )));
        };
        result.map_err(MasterError::from)
    }

    /// Events, answers and backups that were not made are kept for a while, runs for good.
    async fn forget_old(&self) -> Result<(), MasterError> {
        self.query("DELETE FROM migration_service.run_event WHERE at < now() - interval '90 days'", &[]).await?;
        self.forget_events().await?;
        self.forget_attempts().await?;
        self.forget_alerts().await?;
        self.forget_instances().await?;
        self.forget_webhook_deliveries().await?;
        self.forget_answers().await
    }
}
