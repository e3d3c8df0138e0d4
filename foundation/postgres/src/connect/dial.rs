//! Names to addresses, addresses to sockets.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};

use super::classify;
use super::error::{ConnectError, Place};
use super::socket::Socket;
use crate::options::{Endpoint, Host, Keepalive};
use crate::tls::TlsSetup;

/// Where one server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// How a session got to its server, kept because a cancel request has to go the same way.
pub(crate) struct Route {
    pub(crate) address: Address,
    /// For the certificate check and SNI.
    pub(crate) server_name: String,
    pub(crate) tls: Arc<TlsSetup>,
    pub(crate) keepalive: Keepalive,
    pub(crate) timeout: Option<Duration>,
    /// Named in errors.
    pub(crate) place: Place,
}

impl Route {
    pub(crate) fn is_unix(&self) -> bool {
        matches!(self.address, Address::Unix(_))
    }

    pub(crate) async fn dial(&self) -> io::Result<Socket> {
        match &self.address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                self.keep_alive(&stream)?;
                Ok(Socket::new(stream))
            }
            Address::Unix(path) => Ok(Socket::new(UnixStream::connect(path).await?)),
        }
    }

    pub(crate) fn tls_connect(&self) -> impl TlsConnect<Socket, Stream: Send, Future: Send> + use<> {
        let Ok(connect) = MakeTlsConnect::<Socket>::make_tls_connect(&mut self.tls.connector(), &self.server_name);
        connect
    }

    /// Why a later dial failed.
    pub(crate) fn io_error(&self, error: &io::Error) -> ConnectError {
        classify::io(&self.place, error)
    }

    /// Why a cancel request failed.
    pub(crate) fn driver_error(&self, error: &tokio_postgres::Error) -> ConnectError {
        classify::driver(&self.place, error, None)
    }

    fn keep_alive(&self, stream: &TcpStream) -> io::Result<()> {
        let socket = SockRef::from(stream);
        if self.keepalive.on {
            let mut settings = TcpKeepalive::new();
            if let Some(idle) = self.keepalive.idle {
                settings = settings.with_time(idle);
            }
            if let Some(interval) = self.keepalive.interval {
                settings = settings.with_interval(interval);
            }
            if let Some(count) = self.keepalive.count {
                settings = settings.with_retries(count);
            }
            socket.set_tcp_keepalive(&settings)?;
        }
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(self.keepalive.user_timeout)?;
        Ok(())
    }
}

/// All addresses of one endpoint, in the order of the system's resolver.
pub(super) async fn resolve(endpoint: &Endpoint, timeout: Option<Duration>) -> io::Result<Vec<Address>> {
    if let Some(address) = endpoint.address {
        return Ok(vec![Address::Tcp(SocketAddr::new(address, endpoint.port))]);
    }
    let name = match &endpoint.host {
        Host::Unix(folder) => return Ok(vec![Address::Unix(folder.join(format!(".s.PGSQL.{}", endpoint.port)))]),
        Host::Tcp(name) => name.as_str(),
    };
    let look_up = lookup_host((name, endpoint.port));
    let found = match timeout {
        Some(limit) => tokio::time::timeout(limit, look_up)
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the name server did not answer"))?,
        None => look_up.await,
    };
    // The resolver's error has no kind of its own; NotFound marks it for the classification.
    let found = found.map_err(|error| io::Error::new(io::ErrorKind::NotFound, NameNotKnown(error.to_string())))?;
    Ok(found.map(Address::Tcp).collect())
}

/// Tells a name that does not resolve from a socket file that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NameNotKnown(String);
