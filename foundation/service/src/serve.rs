//! A domain service as a part of a program: takes its port, serves, and knows when it is ready.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use keyring::Keyring;
use migration_client::Client;
use postgres_link::tenant::{TenantPool, TxError};
use runtime::{BoxError, Component, Ready};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use web::{Door, Grace, Readiness, browsable, health_routes, shell};

use crate::document::document;
use crate::metrics::{self, Metrics};
use crate::platform::Platform;
use crate::settings::{Definition, Settings};
use crate::version;

/// `/ready` waits for the database to answer and its login role to be fit, …
const DATABASE: &str = "database";
/// … for the keys of the auth service, …
const KEYS: &str = "keys";
/// … and for the schemas to be what the service needs.
const SCHEMA: &str = "schema";

/// The first pause before the database is asked again; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Between two sweeps of what was kept for a day.
const SWEEP_EVERY: Duration = Duration::from_hours(1);
/// What goes on beside the requests may end within this when they have.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Why a service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Nobody has said where its database is.
    #[error(
        "{name} has no database: set {variable} to its URL, as the role {role}, which `profe migrate run` makes and \
         its deployment gives a password (ALTER ROLE {role} PASSWORD …)"
    )]
    NoDatabase {
        /// The service.
        name: &'static str,
        /// What to set.
        variable: String,
        /// As whom it signs in.
        role: &'static str,
    },
    /// The port cannot be had.
    #[error(
        "{name} cannot listen on {address}: {source}; stop what listens there, or choose another port with {variable}"
    )]
    Port {
        /// The service.
        name: &'static str,
        /// Where.
        address: SocketAddr,
        /// What to set.
        variable: String,
        /// Why.
        source: io::Error,
    },
    /// The migration service's address is none, or no client can be made.
    #[error("{name}: {reason}")]
    Client {
        /// The service.
        name: &'static str,
        /// Why.
        reason: String,
    },
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A service that has its port and serves once it is run as a [`Component`].
pub struct Service {
    definition: &'static Definition,
    listener: TcpListener,
    address: SocketAddr,
    platform: Platform,
    migrations: Client,
    readiness: Readiness,
    metrics: Metrics,
    /// What the keyring and the work beside the requests go by; cancelled when the requests have ended.
    stop: CancellationToken,
    routes: OpenApiRouter,
    work: Vec<Work>,
}

impl Service {
    /// Takes the port. Requests wait until it is run; [`with`](Self::with) gives it its routes.
    ///
    /// # Errors
    /// No database is named, the port is taken, or an address is none.
    pub async fn bind(definition: &'static Definition, settings: Settings) -> Result<Self, StartError> {
        let Definition { name, prefix, role, .. } = *definition;
        let address = settings.address();
        let Some(options) = settings.database else {
            return Err(StartError::NoDatabase { name, variable: format!("{prefix}_DB_URL"), role });
        };
        let client = |reason: String| StartError::Client { name, reason };
        let mut release = migration_client::Settings::new(settings.migrations, name, env!("CARGO_PKG_VERSION"));
        release.token = settings.migrations_token;
        release.environment = settings.environment;
        release.needs = definition.needs.iter().map(|id| (*id).to_owned()).collect();
        if let Some(instance) = settings.instance {
            release.instance = instance;
        }
        let migrations =
            Client::new(release).map_err(|error| client(format!("{prefix}_MIGRATION_SERVICE: {error}")))?;
        let port = |source: io::Error| StartError::Port { name, address, variable: format!("{prefix}_PORT"), source };
        let listener = TcpListener::bind(address).await.map_err(port)?;
        let address = listener.local_addr().map_err(port)?;
        let stop = CancellationToken::new();
        let mut believed = settings.keyring;
        if settings.is_issuer {
            believed.auth = local_url(address);
        }
        let keyring = Keyring::start(believed, &stop).map_err(|error| client(error.to_string()))?;
        let platform = Platform::new(TenantPool::new(options, settings.pool), keyring, settings.proxies);
        Ok(Self {
            definition,
            listener,
            address,
            platform,
            migrations,
            readiness: Readiness::expecting(&[DATABASE, KEYS, SCHEMA]),
            metrics: Metrics::new(name, settings.metrics_token),
            stop,
            routes: OpenApiRouter::new(),
            work: Vec::new(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// For the state of its handlers.
    pub fn platform(&self) -> Platform {
        self.platform.clone()
    }

    /// What `/ready` goes by; a service may report parts of its own.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// Ends when the requests have ended.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Serves these routes.
    #[must_use]
    pub fn with(mut self, routes: OpenApiRouter) -> Self {
        self.routes = self.routes.merge(routes);
        self
    }

    /// Does this beside the requests, until it ends or [`stopping`](Self::stopping) says so.
    #[must_use]
    pub fn beside(mut self, work: impl Future<Output = ()> + Send + 'static) -> Self {
        self.work.push(Box::pin(work));
        self
    }

    /// How long after its `shutdown` a service has ended by itself.
    pub fn stops_within() -> Duration {
        Grace::default().requests + LAST_WORDS
    }
}

/// The URL of what listens at `address`, for who is on this machine: everywhere is also here.
pub fn local_url(address: SocketAddr) -> String {
    let here = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        ip if ip.is_ipv4() => Ipv4Addr::LOCALHOST.into(),
        _ => Ipv6Addr::LOCALHOST.into(),
    };
    format!("http://{}", SocketAddr::new(here, address.port()))
}

/// Everything that is served, around the service's own routes.
fn router(definition: &Definition, routes: OpenApiRouter, readiness: Readiness, metrics: Metrics) -> Router {
    let (routes, api) = health_routes(readiness).merge(routes).split_for_parts();
    let document = document(definition, api);
    let own = Router::new().route("/metrics", get(metrics::show)).with_state(metrics.clone());
    let all = routes.merge(own).merge(browsable(&document));
    // No cookie signs anybody in here, so a page that makes somebody's browser call gains nothing.
    let all = shell(all.layer(from_fn(version::not_modified)), Door::for_bearers());
    // Outside of the shell, which knows the paths that there is no route for.
    all.layer(from_fn_with_state(metrics, metrics::layer))
}

impl Component for Service {
    fn name(&self) -> String {
        self.definition.name.to_owned()
    }

    async fn run(self, ready: Ready, shutdown: CancellationToken) -> Result<(), BoxError> {
        let Self { definition, listener, platform, migrations, readiness, metrics, stop, routes, work, .. } = self;
        tracing::info!(service = definition.name, address = %self.address, "serving");
        let router = router(definition, routes, readiness.clone(), metrics);
        let announce = async {
            readiness.ready().await;
            ready.ready();
        };
        let work = work.into_iter().map(|work| stop.run_until_cancelled(work));
        let beside = async {
            tokio::join!(
                stop.run_until_cancelled(announce),
                stop.run_until_cancelled(look_at_database(&platform, &readiness)),
                stop.run_until_cancelled(look_at_keys(&platform, &readiness)),
                stop.run_until_cancelled(sweep_answers(&platform)),
                follow_schemas(migrations, &readiness, &stop),
                futures_util::future::join_all(work),
            );
        };
        let asked = async {
            let served = web::serve(listener, router, shutdown, Grace::default()).await;
            stop.cancel();
            served
        };
        let (mut asked, mut beside) = (Box::pin(asked), Box::pin(beside));
        let result = tokio::select! {
            result = &mut asked => {
                if tokio::time::timeout(LAST_WORDS, beside).await.is_err() {
                    tracing::debug!("something that the service does by itself had not ended and was left");
                }
                result
            }
            () = &mut beside => asked.await,
        };
        platform.pool().close();
        result.map_err(Into::into)
    }
}

/// Until it answers, and its role is fit.
async fn look_at_database(platform: &Platform, readiness: &Readiness) {
    let mut pause = FIRST_PAUSE;
    let mut said = String::new();
    loop {
        match platform.pool().verify().await {
            Ok(()) => return readiness.report(DATABASE, true),
            Err(TxError::Closing) => return,
            Err(error) => {
                // Once, not every few seconds.
                let error = error.to_string();
                if error != said {
                    tracing::warn!(%error, "the database cannot be used yet");
                    said = error;
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Answers that were kept for a day are nobody's any more. Every copy of every service does it, each at its own time.
async fn sweep_answers(platform: &Platform) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let tx = platform.work("sweep-answers");
        if let Err(error) = tx.last().query("SELECT public.sweep_idempotent_answers()", &[]).await {
            tracing::debug!(%error, "kept answers could not be swept; the next hour does it");
        }
    }
}

async fn look_at_keys(platform: &Platform, readiness: &Readiness) {
    platform.keyring().known().await;
    readiness.report(KEYS, true);
}

/// As the migration service says, for as long as the service serves.
async fn follow_schemas(migrations: Client, readiness: &Readiness, stop: &CancellationToken) {
    let mut watch = migrations.watch();
    loop {
        let now = watch.readiness();
        readiness.report(SCHEMA, now.ready);
        if let Some(reason) = now.reason {
            tracing::info!(%reason, ready = now.ready, "what the migration service says of the schemas");
        }
        if stop.run_until_cancelled(watch.changed()).await.is_none() {
            break;
        }
    }
    watch.stop().await;
}
