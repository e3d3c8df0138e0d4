//! Throwaway databases that are already migrated: cloned from a template that is built once per state of the files.
//!
//! Copying a template takes a few tens of milliseconds where migrating takes seconds. Used by tests, by developers
//! (`profe db scratch`) and by everything that tries something out before it touches a target.

mod rehearsal;

use std::sync::Arc;

use postgres_link::claims::drop_database;
use postgres_link::{AdminConn, ConnectOptions};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) use rehearsal::Rehearsal;
pub use rehearsal::sweep;

use crate::engine::{Engine, Target};
use crate::error::{EngineError, ErrorCode};
use crate::event::{EventSink, Outcome};
use crate::project::Project;
use crate::request::{RunContext, RunRequest, Scope};
use crate::target::quote::{identifier, literal};
use crate::target::session::own_statement;

/// What the names of templates begin with.
const TEMPLATE: &str = "scratch_template_";
/// What the names of scratch databases begin with; only such are listed and dropped.
const SCRATCH: &str = "scratch_";
/// Builders of templates wait for each other on this lock of the `postgres` database.
const LOCK: &str = "SELECT pg_advisory_lock(1347571526, 2)";

/// The scratch databases of one server.
#[derive(Debug, Clone)]
pub struct Scratch {
    server: ConnectOptions,
    project: Arc<Project>,
    environment: String,
    seeded: bool,
}

impl Scratch {
    /// Scratch databases on the server of `server` (whichever database it names), with all migrations of `project`
    /// and, when `seeded`, its seeds for `environment`.
    pub fn new(server: &ConnectOptions, project: Arc<Project>, environment: &str, seeded: bool) -> Self {
        Self { server: server.clone(), project, environment: environment.to_owned(), seeded }
    }

    /// Builds the template unless it is there. Answers its name.
    pub async fn template(&self) -> Result<String, EngineError> {
        let name = format!("{TEMPLATE}{}", &self.state_hash()?[..16]);
        let maintenance = self.maintenance().await?;
        let exists = format!("SELECT 1 FROM pg_database WHERE datname = {} AND datistemplate", literal(&name));
        if run(&maintenance, &exists).await?.value(0, 0).is_some() {
            return Ok(name);
        }
        run(&maintenance, LOCK).await?;
        if run(&maintenance, &exists).await?.value(0, 0).is_some() {
            return Ok(name);
        }
        let building = format!("{name}_building");
        run(&maintenance, &drop_database(&building)).await?;
        run(&maintenance, &format!("CREATE DATABASE {}", identifier(&building))).await?;
        self.migrate(&self.server.clone().with_database(&building)).await?;
        run(&maintenance, &format!("ALTER DATABASE {} RENAME TO {}", identifier(&building), identifier(&name))).await?;
        run(
            &maintenance,
            &format!("ALTER DATABASE {} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false", identifier(&name)),
        )
        .await?;
        Ok(name)
    }

    /// A new database called `scratch_<label>_…`, equal to the template.
    pub async fn create(&self, label: &str) -> Result<ConnectOptions, EngineError> {
        let template = self.template().await?;
        self.clone_of(&template, label).await
    }

    /// A new database from a template that is known to be there: one statement.
    pub async fn clone_of(&self, template: &str, label: &str) -> Result<ConnectOptions, EngineError> {
        let label: String = label.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(24).collect();
        // Those of rehearsals are swept when nobody works on them; this one is kept.
        let mark = if label.eq_ignore_ascii_case("rehearsal") { "_" } else { "" };
        let name = format!("{SCRATCH}{}{mark}_{}", label.to_lowercase(), &Uuid::new_v4().simple().to_string()[..12]);
        create_copy(&self.server, &name, template).await?;
        Ok(self.server.clone().with_database(name))
    }

    /// The scratch databases on the server, templates left out.
    pub async fn list(&self) -> Result<Vec<String>, EngineError> {
        let maintenance = self.maintenance().await?;
        let outcome = run(
            &maintenance,
            "SELECT datname FROM pg_database WHERE datname LIKE 'scratch\\_%' AND datname NOT LIKE 'scratch\\_template\\_%' ORDER BY 1",
        )
        .await?;
        Ok(outcome.rows().filter_map(|row| row[0].clone()).collect())
    }

    /// Drops a scratch database, whoever is connected to it. Refuses any other.
    pub async fn drop(&self, name: &str) -> Result<(), EngineError> {
        if !name.starts_with(SCRATCH) {
            return Err(EngineError::new(ErrorCode::Protected, format!("{name:?} is no scratch database"))
                .cure("`profe db scratch --list` names them"));
        }
        drop_by_name(&self.server, name).await
    }

    async fn maintenance(&self) -> Result<AdminConn, EngineError> {
        maintenance(&self.server).await
    }

    async fn migrate(&self, connect: &ConnectOptions) -> Result<(), EngineError> {
        let target = Target { environment: self.environment.clone(), connect: connect.clone(), create_database: false };
        let engine = Engine::new(Arc::clone(&self.project), target);
        let request = RunRequest { scope: Scope::All, to: None, dry_run: false, overrides: Vec::new() };
        let report = engine.prepare_run(request, context()).await?.execute().await;
        if let (Outcome::Failed | Outcome::Cancelled, Some(error)) = (report.outcome, report.error) {
            return Err(*error);
        }
        if self.seeded {
            engine.seed(&Scope::All, context()).await?;
        }
        Ok(())
    }

    /// Everything that the template depends on.
    fn state_hash(&self) -> Result<String, EngineError> {
        let mut all = format!("{} {} {:?}", self.environment, self.seeded, self.project.catalogue);
        for migration in self.project.migrations() {
            all.push_str(&migration.up);
            all.push_str(&sql_grammar::sha256_hex(&self.project.up_bytes(migration)?));
            all.push_str(&sql_grammar::sha256_hex(self.project.down_sql(migration)?.as_bytes()));
        }
        if self.seeded {
            for seed in self.project.seeds() {
                all.push_str(&seed.name);
                all.push_str(&sql_grammar::sha256_hex(self.project.seed_sql(seed)?.as_bytes()));
            }
        }
        Ok(sql_grammar::sha256_hex(all.as_bytes()))
    }
}

fn context() -> RunContext {
    RunContext {
        run_id: Uuid::new_v4(),
        actor: "scratch".to_owned(),
        events: EventSink::none(),
        cancel: CancellationToken::new(),
        wait_for_lock: std::time::Duration::ZERO,
    }
}

/// A copy of the database `template`, on which nobody may be meanwhile.
async fn create_copy(server: &ConnectOptions, name: &str, template: &str) -> Result<(), EngineError> {
    let maintenance = maintenance(server).await?;
    let created = run(&maintenance, &create_statement(&maintenance, name, template)).await;
    maintenance.close().await;
    created.map(|_| ())
}

fn create_statement(session: &AdminConn, name: &str, template: &str) -> String {
    // Copying the files is faster than writing them through the log, which 15 would do by default.
    let strategy = if session.server_version_num() >= 150_000 { " STRATEGY file_copy" } else { "" };
    format!("CREATE DATABASE {} TEMPLATE {}{strategy}", identifier(name), identifier(template))
}

/// Drops a scratch database, whoever is connected to it.
async fn drop_by_name(server: &ConnectOptions, name: &str) -> Result<(), EngineError> {
    let maintenance = maintenance(server).await?;
    run(&maintenance, &format!("ALTER DATABASE {} IS_TEMPLATE false", identifier(name))).await?;
    run(&maintenance, &format!("DROP DATABASE {} WITH (FORCE)", identifier(name))).await?;
    maintenance.close().await;
    Ok(())
}

/// A session from which databases are made and dropped.
async fn maintenance(server: &ConnectOptions) -> Result<AdminConn, EngineError> {
    postgres_link::connect(&server.clone().with_database("postgres").with_application_name("profe scratch"))
        .await
        .map_err(|error| EngineError::from(&error))
}

async fn run(conn: &AdminConn, sql: &str) -> Result<postgres_link::BatchOutcome, EngineError> {
    conn.batch(sql).await.map_err(|error| refused(&error))
}

fn refused(error: &postgres_link::BatchError) -> EngineError {
    own_statement(error, "keeping scratch databases")
}
