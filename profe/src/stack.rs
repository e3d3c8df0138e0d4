//! The parts that run together: database, service, and what has to happen before everything is ready.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use db_migrations_service::cli::{self, Context, Databases, Exit, Failure};
use db_migrations_service::operations::{Operations, Recording};
use db_migrations_service::{STARTUP_PART, Service, StartError};
use embedded_postgres::{Cluster, ClusterOptions, StartError as ClusterError};
use runtime::{BoxError, CancellationToken, Component, Ready, Supervisor, SupervisorError};

use crate::ready;

/// The parts end by themselves within their times; what has not by then is cut off, on a machine that is not too busy for it.
const SLACK: Duration = Duration::from_secs(3);

/// The project that is served.
type Project = Arc<db_migrations_service::Project>;

/// What happens before everything counts as ready.
pub enum Before {
    /// Nothing: somebody else migrates.
    Nothing,
    /// These environments are migrated and seeded.
    BringUp(Vec<String>),
}

/// Everything that stands before the first task runs.
pub struct Stack {
    pub project: Project,
    databases: Databases,
    began: Instant,
}

impl Stack {
    /// Opens the project and starts the private database, where one is needed. Everything that can be refused is
    /// refused here, the quickest first.
    pub fn prepare(context: &Context, says_so: bool) -> Result<Self, Failure> {
        let began = Instant::now();
        let project = context.project()?;
        let databases =
            if context.settings.needs_private_cluster() { private(context, says_so)? } else { Databases::default() };
        Ok(Self { project, databases, began })
    }

    /// Runs until Ctrl-C or a failure; then everything is stopped, the database last.
    pub fn run(self, context: &Context, before: Before) -> Result<Exit, Failure> {
        let failed =
            |error: std::io::Error| Failure::other(Exit::Failed, "runtime", format!("cannot start: {error}"), "");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(failed)?;
        let result = runtime.block_on(self.supervise(context, before));
        drop(runtime);
        result
    }

    async fn supervise(&self, context: &Context, before: Before) -> Result<Exit, Failure> {
        let shutdown = runtime::shutdown::on_signals().map_err(|error| {
            Failure::other(Exit::Failed, "runtime", format!("cannot listen for Ctrl-C: {error}"), "")
        })?;
        let operations = context.operations(Arc::clone(&self.project), &self.databases, Recording::First)?;
        let service = Service::bind(operations.clone(), &context.settings).await?;
        let (address, web) = (service.address(), service.readiness());

        let patience = Service::stops_within(&context.settings) + SLACK;
        let mut supervisor = Supervisor::new(shutdown.clone()).stop_within(patience);
        if let Some(cluster) = self.databases.cluster() {
            supervisor.add(Database(Box::pin(cluster.exited())));
        }
        supervisor.add(service);
        let environments = match before {
            Before::Nothing => Vec::new(),
            Before::BringUp(environments) => environments,
        };
        let startup =
            Startup { context: context.clone(), operations: operations.clone(), environments, web: web.clone() };
        supervisor.add(startup);

        let mut parts = supervisor.readiness();
        let announced = AtomicBool::new(false);
        let announce = async {
            // Fails only when the supervisor is gone, and then there is nothing to announce.
            if parts.wait_for(runtime::Readiness::is_ready).await.is_ok() {
                web.ready().await;
                ready::announce(context, &operations, address, self.began.elapsed());
                announced.store(true, Ordering::Relaxed);
            }
            std::future::pending::<()>().await;
        };
        let ended = tokio::select! {
            ended = supervisor.run() => ended,
            () = announce => Ok(()),
        };
        match ended {
            Ok(()) if announced.into_inner() => {
                context.output.note("Stopped.");
                Ok(Exit::Ok)
            }
            Ok(()) => {
                context.output.note("Stopped before everything had started.");
                Ok(Exit::Cancelled)
            }
            Err(error) => Err(failure(error)),
        }
    }
}

/// Starts the private database. One that another process holds is not ours to serve.
fn private(context: &Context, says_so: bool) -> Result<Databases, Failure> {
    let options = ClusterOptions::new(&context.data_dir);
    let address = context.settings.address();
    let port = TcpListener::bind(address);
    // Whoever holds the folder is the better answer than whoever holds the port; without a folder nobody does.
    if let (Err(source), false) = (&port, context.data_dir.exists()) {
        return Err(taken(address, source.kind().into()));
    }
    if says_so && !context.data_dir.join("data").exists() {
        context.output.note(format!("Making a private database in {} …", context.data_dir.display()));
    }
    let cluster = match (Cluster::start(&options), port) {
        (Err(ClusterError::InUse { folder, pid }), _) => return Err(in_use(&folder, pid)),
        (Err(error), _) => return Err(error.into()),
        (Ok(_), Err(source)) => return Err(taken(address, source)),
        (Ok(cluster), Ok(_)) => cluster,
    };
    Databases::started(cluster)
}

fn in_use(folder: &std::path::Path, pid: i32) -> Failure {
    let holder = if pid > 0 { format!("process {pid}") } else { "another process".to_owned() };
    Failure::other(
        Exit::Busy,
        "in_use",
        format!("profe runs already on {} ({holder})", folder.display()),
        "use that one, stop it with Ctrl-C, or name another folder with --data-dir and another port with MIGRATION_SERVICE_PORT",
    )
}

fn taken(address: std::net::SocketAddr, source: std::io::Error) -> Failure {
    let cure = "stop what listens there, or choose another port with MIGRATION_SERVICE_PORT";
    StartError::Port { address, cure, source }.into()
}

/// Takes the failure out of the component that had it.
fn failure(error: SupervisorError) -> Failure {
    match error {
        SupervisorError::Failed { component, reason, source } => {
            let unknown =
                || Failure::other(Exit::Failed, "component", format!("{component}: {reason}"), "see the log above");
            let Some(source) = source else { return unknown() };
            source.downcast::<Failure>().map_or_else(|_| unknown(), |failure| *failure)
        }
        late @ SupervisorError::StopTimeout { .. } => {
            Failure::other(Exit::Failed, "stop_timeout", late.to_string(), "")
        }
    }
}

/// The private server, as a part that must not end.
struct Database(std::pin::Pin<Box<dyn Future<Output = embedded_postgres::Exit> + Send>>);

impl Component for Database {
    fn name(&self) -> String {
        "private database".to_owned()
    }

    async fn run(self, ready: Ready, shutdown: CancellationToken) -> Result<(), BoxError> {
        ready.ready();
        match shutdown.run_until_cancelled(self.0).await {
            None => Ok(()),
            Some(exit) => Err(format!("{exit} by itself").into()),
        }
    }
}

/// Migrates and seeds, then tells the service that everything is in place.
struct Startup {
    context: Context,
    operations: Operations,
    environments: Vec<String>,
    web: db_migrations_service::Readiness,
}

impl Component for Startup {
    fn name(&self) -> String {
        "startup".to_owned()
    }

    async fn run(self, _ready: Ready, shutdown: CancellationToken) -> Result<(), BoxError> {
        match cli::bring_up(&self.context, &self.operations, &self.environments, &shutdown).await {
            Ok(()) => self.web.report(STARTUP_PART, true),
            // Somebody stops everything, which is no failure.
            Err(failure) if failure.exit == Exit::Cancelled && shutdown.is_cancelled() => {}
            Err(failure) => return Err(failure.into()),
        }
        Ok(())
    }
}
