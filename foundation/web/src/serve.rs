//! Serves a router until it is told to stop, and then stops in time.
//!
//! Not `axum::serve`: that has no limit for a client who sends headers byte by byte, and on shutdown it waits for ever
//! on an open event stream. HTTP/1.1 only; what needs more stands behind a gateway.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// How long a client may take for a request's headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// What a connection may have read or may have to write, in memory, bytes. A stream whose client does not read costs no
/// more; a request's headers must fit.
const BUFFER: usize = 64 << 10;
/// Out of file descriptors: waiting is all that helps.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a stop may take.
#[derive(Debug, Clone, Copy)]
pub struct Grace {
    /// Requests under way may finish within this.
    pub requests: Duration,
}

impl Default for Grace {
    fn default() -> Self {
        Self { requests: Duration::from_secs(5) }
    }
}

/// Serves until `shutdown`, then takes no more connections, lets requests under way finish within the grace time and
/// closes what is left. Handlers find the caller's address as `ConnectInfo<SocketAddr>`. Streams that would outlast the
/// grace time should watch `shutdown` themselves and end by their own rules.
///
/// # Errors
/// When the listener cannot say its own address; a connection that fails only ends itself.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken, grace: Grace) -> io::Result<()> {
    let address = listener.local_addr()?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection(stream, peer, router.clone(), shutdown.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    tracing::debug!(%address, open = connections.len(), "no more connections are taken");
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(grace.requests, all).await.is_err() {
        tracing::warn!(%address, open = connections.len(), "connections outlived the grace time and were closed");
        connections.shutdown().await;
    }
    Ok(())
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, shutdown: CancellationToken) {
    // Answers are small and events want to be seen at once.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let service = router.map_request(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
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
