//! The gateway as a part of a program: takes its ports, serves, and ends in good order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use keyring::Keyring;
use runtime::{BoxError, Component, Ready};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use web::Grace;

use crate::core::Core;
use crate::discover::Resolver;
use crate::lanes::Lanes;
use crate::pages;
use crate::proxy::{self, Visitor};
use crate::routing::{self, Making};
use crate::settings::Settings;
use crate::strict::Strict;

/// The platform's inventory calls it so.
const NAME: &str = "api-gateway";
/// The largest head of a request, bytes.
const HEAD: usize = 32 << 10;
/// What a connection may have read or may have to write, in memory, bytes.
const BUFFER: usize = 64 << 10;
/// A client that is gone, or reads nothing of what it asked for, is given up after this.
const STALLED: Duration = Duration::from_mins(1);
/// Out of file descriptors: waiting is all that helps.
const PAUSE: Duration = Duration::from_millis(100);

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port cannot be had.
    #[error("cannot listen on {address}: {source}; choose another one with {variables}")]
    Port {
        /// Where.
        address: SocketAddr,
        /// What to change.
        variables: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The route table, or an address of a service, cannot be used.
    #[error("{0}; mend it, or leave API_GATEWAY_ROUTES out")]
    Routes(String),
    /// Nobody could be believed.
    #[error(transparent)]
    Keyring(#[from] keyring::StartError),
}

/// A gateway that has its ports and serves once it is [`run`](Component::run).
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    private: Option<(TcpListener, SocketAddr)>,
    core: Arc<Core>,
    settings: Settings,
    table_text: String,
    _keys: DropGuard,
}

impl Gateway {
    /// Takes the ports, and begins to look for the services and the keys. Requests wait until it is run.
    ///
    /// # Errors
    /// A port is taken or not allowed; the route table is wrong.
    pub async fn bind(settings: &Settings) -> Result<Self, StartError> {
        let (table, table_text) = settings.table().map_err(StartError::Routes)?;
        let (listener, address) = listen(settings.address(), "API_GATEWAY_BIND and API_GATEWAY_PORT").await?;
        let private = match settings.metrics {
            Some(address) => Some(listen(address, "API_GATEWAY_METRICS").await?),
            None => None,
        };
        let keys = CancellationToken::new();
        let keyring = Keyring::start(settings.keyring.clone(), &keys)?;
        let making = Making {
            addresses: settings.addresses.clone(),
            check_every: settings.times.check_every,
            resolver: Resolver::new(settings.dns_server),
        };
        let core = Core::new(settings, keyring, table, making).map_err(StartError::Routes)?;
        let (core, settings, keys) = (Arc::new(core), settings.clone(), keys.drop_guard());
        Ok(Self { listener, address, private, core, settings, table_text, _keys: keys })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its numbers are served.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.private.as_ref().map(|(_, address)| *address)
    }

    /// How long after its `shutdown` a gateway has ended by itself.
    pub fn stops_within(settings: &Settings) -> Duration {
        settings.times.drain + PAUSE
    }

    /// Waits until the keys of the auth service are known.
    pub async fn known(&self) {
        self.core.keyring.known().await;
    }

    /// Serves until `shutdown`; then takes no more connections, lets what is under way end within its time, and closes the rest.
    ///
    /// # Errors
    /// When a listener breaks, or no thread can be had.
    pub async fn serve(self, shutdown: CancellationToken) -> io::Result<()> {
        let numbers_at = self.metrics_address().map(tracing::field::display);
        tracing::info!(service = NAME, address = %self.address, metrics = numbers_at, "serving");
        let Self { listener, private, core, settings, table_text, .. } = self;
        let follow = async {
            match &settings.routes {
                Some(path) => {
                    routing::follow(Arc::clone(&core), path, table_text, settings.times.reload_every, shutdown.clone())
                        .await;
                }
                None => shutdown.cancelled().await,
            }
        };
        let numbers = async {
            match private {
                Some((listener, _)) => {
                    web::serve(listener, pages::private(Arc::clone(&core)), shutdown.clone(), Grace::default()).await
                }
                None => Ok(()),
            }
        };
        let ((), numbers, served) = tokio::join!(follow, numbers, accept(listener, &core, &shutdown));
        numbers.and(served)
    }
}

impl Component for Gateway {
    fn name(&self) -> String {
        NAME.to_owned()
    }

    async fn run(self, ready: Ready, shutdown: CancellationToken) -> Result<(), BoxError> {
        // Requests are answered from now on; whether with a service's answer, /ready tells.
        ready.ready();
        self.serve(shutdown).await.map_err(Into::into)
    }
}

async fn listen(address: SocketAddr, variables: &'static str) -> Result<(TcpListener, SocketAddr), StartError> {
    let port = |source| StartError::Port { address, variables, source };
    let listener = TcpListener::bind(address).await.map_err(port)?;
    let bound = listener.local_addr().map_err(port)?;
    Ok((listener, bound))
}

async fn accept(listener: TcpListener, core: &Arc<Core>, shutdown: &CancellationToken) -> io::Result<()> {
    let lanes = Lanes::start(core, shutdown)?;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        if let Err(error) = accepted.and_then(|(stream, peer)| lanes.take(stream, peer)) {
            tracing::warn!(%error, "a connection could not be taken");
            tokio::time::sleep(PAUSE).await;
        }
    }
    drop(listener);
    core.drain();
    core.tunnels.close();
    if !lanes.end(core.times.drain).await {
        tracing::warn!("connections outlived the grace time and were closed");
    }
    Ok(())
}

/// Serves one client until it or the gateway ends.
pub(crate) async fn connection(stream: TcpStream, peer: SocketAddr, core: Arc<Core>, shutdown: CancellationToken) {
    if let Err(error) = prepare(&stream) {
        tracing::debug!(%error, "options of a connection");
    }
    let raw = Arc::<AtomicBool>::default();
    let visitor = Visitor { peer, raw: Arc::clone(&raw) };
    let service = service_fn(|request| {
        let (core, visitor) = (&core, &visitor);
        async move { Ok::<_, std::convert::Infallible>(proxy::answer(core, visitor, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(core.times.head)
        .max_header_size(HEAD)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Strict::new(stream, raw)), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    // Answers are small and events want to be seen at once.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(STALLED))?;
    socket.set_tcp_user_timeout(Some(STALLED))
}
