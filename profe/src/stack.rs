//! The parts that run together: database, service, and what has to happen before everything is ready.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use db_migrations_service::cli::{self, Context, Databases, Exit, Failure};
use db_migrations_service::operations::{Operations, Recording};
use db_migrations_service::{STARTUP_PART, Service, StartError};
use embedded_postgres::{Cluster, ClusterOptions, StartError as ClusterError};
use postgres_link::{ConnectOptions, connect};
use runtime::{BoxError, CancellationToken, Component, Ready, Supervisor, SupervisorError};
use tokio::sync::watch;

use crate::ready;
use crate::services::{self, Known, MIGRATIONS, Platform, Wanted};

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
    wanted: Wanted,
    /// The server that this process holds; without the migration service another one may hold it.
    own: Option<Databases>,
    began: Instant,
}

impl Stack {
    /// Opens the project and starts the private database, where one is needed. Everything that can be refused is
    /// refused here, the quickest first.
    pub fn prepare(context: &Context, wanted: Wanted, says_so: bool) -> Result<Self, Failure> {
        let began = Instant::now();
        let project = context.project()?;
        let wanted = wanted.for_project(&project.catalogue.project.name);
        let holds = context.settings.needs_private_cluster() && wanted.has(MIGRATIONS);
        let own = if holds { Some(private(context, says_so)?) } else { None };
        Ok(Self { project, wanted, own, began })
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
        let databases = self.databases(context)?;
        let operations = match databases {
            Some(databases) => Some(context.operations(Arc::clone(&self.project), databases, Recording::First)?),
            None => None,
        };
        let migrations = match &operations {
            Some(operations) if self.wanted.has(MIGRATIONS) => {
                Some(Service::bind(operations.clone(), &context.settings).await?)
            }
            _ => None,
        };
        let web = migrations.as_ref().map(Service::readiness);
        let mut addresses: Vec<_> = migrations.iter().map(|service| (MIGRATIONS, service.address())).collect();
        let known = known(context, databases.zip(operations.as_ref()), migrations.as_ref().map(Service::address))?;
        let (in_place, begin) = watch::channel(false);
        let platform = Platform::prepare(context, &self.wanted, &known, begin)?;
        let others = platform.addresses();

        let patience = Service::stops_within(&context.settings).max(services::stops_within(&context.variables)) + SLACK;
        let mut supervisor = Supervisor::new(shutdown.clone()).stop_within(patience);
        if let Some(cluster) = databases.and_then(Databases::cluster) {
            supervisor.add(Database(Box::pin(cluster.exited())));
        }
        if let Some(service) = migrations {
            supervisor.add(service);
        }
        let has_logins = matches!(before, Before::BringUp(_));
        let environments = match before {
            Before::Nothing => Vec::new(),
            Before::BringUp(environments) => environments,
        };
        supervisor.add(Startup {
            context: context.clone(),
            operations: operations.clone(),
            environments,
            private: databases.and_then(|of| of.private().cloned().zip(of.private_url().map(str::to_owned))),
            web: web.clone(),
            in_place,
        });
        supervisor.add(platform);

        let mut parts = supervisor.readiness();
        let announced = AtomicBool::new(false);
        let announce = async {
            // Fails only when the supervisor is gone, and then there is nothing to announce.
            if parts.wait_for(runtime::Readiness::is_ready).await.is_ok() {
                if let Some(web) = &web {
                    web.ready().await;
                }
                addresses.extend(others.borrow().iter());
                ready::announce(context, operations.as_ref(), &addresses, has_logins, self.began.elapsed());
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

    /// The databases of the migration service: this process's own, or those of whoever holds them. The other parts do without:
    /// each is told its own, and the gateway has none.
    fn databases<'a>(&'a self, context: &'a Context) -> Result<Option<&'a Databases>, Failure> {
        match &self.own {
            Some(own) => Ok(Some(own)),
            None if self.wanted.has(MIGRATIONS) || has_databases(context) => context.databases().map(Some),
            None => Ok(None),
        }
    }
}

/// Whether the migration service's databases are known: by URL, or since a `profe up` has made them here.
pub fn has_databases(context: &Context) -> bool {
    !context.settings.needs_private_cluster() || context.data_dir.join("data").exists()
}

/// What the domain services and the gateway are to know.
pub fn known(
    context: &Context,
    databases: Option<(&Databases, &Operations)>,
    migrations: Option<SocketAddr>,
) -> Result<Known, Failure> {
    let mut known = Known { migrations, private: None };
    if let Some((databases, operations)) = databases {
        let entry = operations.environment(context.environment())?;
        let database = entry.target.as_ref().ok().map(|target| target.connect.database().to_owned());
        known.private = databases.private_url().map(str::to_owned).zip(database);
    }
    Ok(known)
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

/// Migrates and seeds, lets the services in, then tells the migration service that everything is in place.
struct Startup {
    context: Context,
    /// None where nothing is migrated and no database is known.
    operations: Option<Operations>,
    environments: Vec<String>,
    /// The private server, as its superuser, and its URL.
    private: Option<(ConnectOptions, String)>,
    web: Option<db_migrations_service::Readiness>,
    /// Tells the platform's services that their databases are in place.
    in_place: watch::Sender<bool>,
}

impl Component for Startup {
    fn name(&self) -> String {
        "startup".to_owned()
    }

    async fn run(self, _ready: Ready, shutdown: CancellationToken) -> Result<(), BoxError> {
        let brought_up = match &self.operations {
            Some(operations) => cli::bring_up(&self.context, operations, &self.environments, &shutdown).await,
            None => Ok(()),
        };
        match brought_up {
            Ok(()) => {
                if let Some((options, url)) = &self.private {
                    services::let_them_in(&connect(options).await?, url).await?;
                }
                if let Some(web) = &self.web {
                    web.report(STARTUP_PART, true);
                }
                self.in_place.send_replace(true);
            }
            // Somebody stops everything, which is no failure.
            Err(failure) if failure.exit == Exit::Cancelled && shutdown.is_cancelled() => {}
            Err(failure) => return Err(failure.into()),
        }
        Ok(())
    }
}
