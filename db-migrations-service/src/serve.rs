//! The service as a part of a program: takes its port, serves, and watches its own database.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use runtime::{BoxError, Component, Ready};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use web::{Grace, Readiness};

use crate::events::Redis;
use crate::http;
use crate::master::anchor_file::AnchorFileError;
use crate::operations::{MasterError, Operations};
use crate::settings::Settings;

/// `/ready` waits for the master database to answer, …
pub const MASTER_PART: &str = "master_database";
/// … and for whoever starts the service to report that everything is in place: after `up` has migrated and seeded, or
/// at once where nothing is to be done. Other parts may be reported as well.
pub const STARTUP_PART: &str = "startup";

/// Between two looks at the master database: while it is away, and while it is there.
const LOOK_SOON: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// Every so many looks, about once an hour, it is put in order as at the start.
const TIDY_EVERY: u32 = 360;

/// What is taken back or handed over at the end is written down within this, after the grace time of the runs. A database that
/// says nothing is not waited for: whoever serves next finds out by itself what became of it.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(5);
/// What the service does by itself – looks, samples, messages – may end within this when all else has.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port cannot be had.
    #[error("cannot listen on {address}: {source}; {cure}")]
    Port {
        /// Where.
        address: SocketAddr,
        /// What to do.
        cure: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Anybody on the network could call it, and nobody could be told apart.
    #[error(
        "refusing to listen on {0}, which others can reach, without a single usable token; \
         make one first with `profe token create --name … --scopes …`, or leave MIGRATION_SERVICE_BIND at 127.0.0.1"
    )]
    Unprotected(SocketAddr),
    /// Whether there are tokens cannot be known.
    #[error("refusing to listen on {address}, which others can reach, while the tokens cannot be read: {source}")]
    TokensUnknown {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: MasterError,
    },
    /// The ends of the audits cannot be written where they should be.
    #[error(transparent)]
    AnchorFile(#[from] AnchorFileError),
}

/// A service that has its port and serves once it is [`run`](Self::run).
pub struct Service {
    listener: TcpListener,
    address: SocketAddr,
    operations: Operations,
    settings: Settings,
    readiness: Readiness,
}

impl Service {
    /// Takes the port. Requests wait until it is run.
    ///
    /// # Errors
    /// The port is taken or not allowed; others could reach it while there is no token; the anchor file cannot be written.
    pub async fn bind(operations: Operations, settings: &Settings) -> Result<Self, StartError> {
        if let Some(path) = &settings.audit_anchor_file {
            operations.master().anchor_in(path)?;
        }
        if let Some(Ok(redis)) = settings.redis_url.as_ref().map(Redis::at) {
            operations.carry_events_in(redis);
        }
        operations.tell_alerts_by(settings.alert_ways.clone());
        let address = settings.address();
        if !address.ip().is_loopback() {
            match operations.master().has_usable_token().await {
                Ok(true) => {}
                Ok(false) => return Err(StartError::Unprotected(address)),
                Err(source) => return Err(StartError::TokensUnknown { address, source }),
            }
        }
        let port = |source: io::Error| StartError::Port { address, cure: cure(&source), source };
        let listener = TcpListener::bind(address).await.map_err(port)?;
        let address = listener.local_addr().map_err(port)?;
        let readiness = Readiness::expecting(&[MASTER_PART, STARTUP_PART]);
        Ok(Self { listener, address, operations, settings: settings.clone(), readiness })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `/ready` goes by; report [`STARTUP_PART`] here.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// How long after its `shutdown` a service has ended by itself.
    pub fn stops_within(settings: &Settings) -> Duration {
        settings.run_grace.max(Grace::default().requests) + HANDED_OVER_WITHIN + LAST_WORDS
    }

    /// Serves until `shutdown`; then stops its runs in good order and ends.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn serve(self, shutdown: CancellationToken) -> io::Result<()> {
        let router = http::router(self.operations.clone(), &self.settings, self.readiness.clone(), shutdown.clone());
        let stopped = async {
            shutdown.cancelled().await;
            let ends = self.operations.stop_all(self.settings.run_grace);
            if timeout(self.settings.run_grace + HANDED_OVER_WITHIN, ends).await.is_err() {
                tracing::warn!(
                    "what is under way could not be written down in time; whoever serves next goes on with it"
                );
            }
        };
        let kept = async {
            tokio::join!(
                watch_master(&self.operations, &self.readiness, &shutdown),
                Box::pin(self.operations.keep_audits(&shutdown)),
                Box::pin(self.operations.keep_schedules(&shutdown)),
                Box::pin(self.operations.keep_fleets(&shutdown)),
                Box::pin(self.operations.keep_runs(&shutdown)),
                Box::pin(watch_targets(&self.operations, self.settings.watch_interval, &shutdown)),
                Box::pin(sample_targets(&self.operations, self.settings.sample_interval, &shutdown)),
                Box::pin(deliver_alerts(&self.operations, self.settings.sample_interval, &shutdown)),
                Box::pin(self.operations.feed_events(&shutdown)),
                Box::pin(self.operations.listen_for_releases(&shutdown)),
                Box::pin(self.operations.call_webhooks(&shutdown)),
            )
        };
        let asked = async {
            let serving = web::serve(self.listener, router, shutdown.clone(), Grace::default());
            let (served, ()) = tokio::join!(serving, stopped);
            served
        };
        let (mut asked, mut kept) = (Box::pin(asked), Box::pin(kept));
        let served = tokio::select! {
            served = &mut asked => served,
            _ = &mut kept => return asked.await,
        };
        if timeout(LAST_WORDS, kept).await.is_err() {
            tracing::debug!("something that the service does by itself had not ended and was left");
        }
        served
    }
}

impl Component for Service {
    fn name(&self) -> String {
        "migration-service".to_owned()
    }

    async fn run(self, ready: Ready, shutdown: CancellationToken) -> Result<(), BoxError> {
        ready.ready();
        self.serve(shutdown).await.map_err(Into::into)
    }
}

async fn watch_targets(operations: &Operations, interval: Option<Duration>, shutdown: &CancellationToken) {
    if let Some(interval) = interval {
        operations.watch(interval, shutdown).await;
    }
}

async fn sample_targets(operations: &Operations, interval: Option<Duration>, shutdown: &CancellationToken) {
    if let Some(interval) = interval {
        operations.sample(interval, shutdown).await;
    }
}

async fn deliver_alerts(operations: &Operations, interval: Option<Duration>, shutdown: &CancellationToken) {
    if let Some(interval) = interval {
        operations.deliver_alerts(interval, shutdown).await;
    }
}

/// Starts the master database when it is there, and keeps an eye on it.
async fn watch_master(operations: &Operations, readiness: &Readiness, shutdown: &CancellationToken) {
    let mut looks_since_tidy = TIDY_EVERY;
    let mut well = None;
    loop {
        let tidy = looks_since_tidy >= TIDY_EVERY;
        let look = async { if tidy { operations.master().start().await } else { operations.master().ping().await } };
        let Some(result) = shutdown.run_until_cancelled(look).await else { return };
        if result.is_ok() {
            looks_since_tidy = if tidy { 0 } else { looks_since_tidy + 1 };
        }
        if well != Some(result.is_ok()) {
            match &result {
                Ok(_) => tracing::info!("the master database answers"),
                Err(error) => tracing::warn!(%error, "the master database does not answer"),
            }
        }
        well = Some(result.is_ok());
        readiness.report(MASTER_PART, result.is_ok());
        let pause = tokio::time::sleep(if result.is_ok() { LOOK_AGAIN } else { LOOK_SOON });
        if shutdown.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}

fn cure(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "stop what listens there, or choose another port with MIGRATION_SERVICE_PORT",
        io::ErrorKind::PermissionDenied => "choose a port above 1023 with MIGRATION_SERVICE_PORT",
        io::ErrorKind::AddrNotAvailable => "choose an address of this machine with MIGRATION_SERVICE_BIND",
        _ => "choose another address or port with MIGRATION_SERVICE_BIND and MIGRATION_SERVICE_PORT",
    }
}
