//! A project, a database, and the runs between them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use migration_engine::request::{RollbackRequest, RollbackTo, RunContext, RunRequest, Scope};
use migration_engine::status::{MigrationState, RunReport};
use migration_engine::{Engine, EngineError, Event, EventSink, MigrationId, Target};
use testkit::{TestDb, TestProject, server};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub struct World {
    pub project: TestProject,
    pub db: TestDb,
    pub events: Arc<Mutex<Vec<Event>>>,
    pub cancel: CancellationToken,
}

impl World {
    pub async fn new() -> Self {
        Self {
            project: TestProject::new(),
            db: server().empty_database().await,
            events: Arc::default(),
            cancel: CancellationToken::new(),
        }
    }

    pub fn engine(&self) -> Engine {
        self.engine_for("development")
    }

    pub fn engine_for(&self, environment: &str) -> Engine {
        let target =
            Target { environment: environment.to_owned(), connect: self.db.connect().clone(), create_database: false };
        Engine::new(self.project.open(), target)
    }

    pub fn context(&self) -> RunContext {
        let events = Arc::clone(&self.events);
        RunContext {
            run_id: Uuid::new_v4(),
            actor: "a test".to_owned(),
            events: EventSink::new(move |event| events.lock().unwrap().push(event)),
            cancel: self.cancel.clone(),
            wait_for_lock: Duration::ZERO,
        }
    }

    pub async fn try_run(&self, request: RunRequest) -> Result<RunReport, EngineError> {
        Ok(self.engine().prepare_run(request, self.context()).await?.execute().await)
    }

    pub async fn run(&self) -> RunReport {
        self.try_run(all()).await.unwrap_or_else(|error| panic!("{error:#?}"))
    }

    /// Runs everything and expects it to work.
    pub async fn run_ok(&self) -> Vec<String> {
        let report = self.run().await;
        assert!(report.error.is_none(), "{:#?}", report.error);
        names(&report.done)
    }

    /// Runs everything and expects one migration to fail.
    pub async fn run_err(&self) -> EngineError {
        *self.run().await.error.expect("a migration fails")
    }

    /// Expects the run to be refused before anything is sent.
    pub async fn refused(&self) -> EngineError {
        match self.try_run(all()).await {
            Err(error) => error,
            Ok(report) => panic!("it was not refused: {report:#?}"),
        }
    }

    pub async fn try_rollback(&self, to: RollbackTo) -> Result<RunReport, EngineError> {
        let request = RollbackRequest { scope: Scope::All, to, dry_run: false };
        Ok(self.engine().prepare_rollback(request, self.context()).await?.execute().await)
    }

    pub async fn rollback(&self, to: RollbackTo) -> Vec<String> {
        let report = self.try_rollback(to).await.unwrap_or_else(|error| panic!("{error:#?}"));
        assert!(report.error.is_none(), "{:#?}", report.error);
        names(&report.done)
    }

    /// `schema/version state` of every migration.
    pub async fn states(&self) -> Vec<String> {
        let status = self.engine().status().await.unwrap_or_else(|error| panic!("{error:#?}"));
        status.services.iter().flat_map(|s| &s.migrations).map(|m| format!("{} {:?}", m.migration, m.state)).collect()
    }

    pub async fn state(&self, id: &str) -> MigrationState {
        let status = self.engine().status().await.unwrap_or_else(|error| panic!("{error:#?}"));
        let id: MigrationId = id.parse().unwrap();
        status
            .services
            .iter()
            .flat_map(|s| &s.migrations)
            .find(|m| m.migration == id)
            .expect("it is in the status")
            .state
    }

    pub async fn relations(&self) -> Vec<String> {
        self.db
            .rows(
                "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname IN ('alpha', 'beta', 'gamma') ORDER BY 1",
            )
            .await
    }

    pub fn saw(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.events.lock().unwrap().iter().any(wanted)
    }
}

pub fn all() -> RunRequest {
    RunRequest { scope: Scope::All, to: None, dry_run: false, overrides: Vec::new() }
}

pub fn names(ids: &[MigrationId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// Waits until `sql` answers `t` on `db`. Panics after a deadline that only a broken test reaches.
pub async fn until(db: &TestDb, sql: &str) {
    let session = db.session().await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while session.batch(sql).await.unwrap().value(0, 0) != Some("t") {
        assert!(tokio::time::Instant::now() < deadline, "never came true: {sql}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
