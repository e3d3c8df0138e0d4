//! One try: socket, TLS, login, and whether the server is of the wanted kind.

use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls};

use super::dial::Route;
use super::error::{ConnectError, ConnectErrorKind, Place};
use super::merging::{Merging, MergingTls, Switch};
use super::pooler::Opener;
use super::socket::Signs;
use super::{classify, standing};
use crate::options::TargetSession;
use crate::session::AdminConn;

/// What this try does about TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// No TLS.
    Plain,
    /// TLS if the server says yes.
    Opportunistic,
    /// TLS or an error.
    Required,
}

/// The driver's connection with its two type parameters forgotten.
pub(crate) trait Wire: Send {
    /// Moves bytes; see [`Connection::poll_message`].
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<AsyncMessage, tokio_postgres::Error>>>;
    /// The latest value the server reported.
    fn parameter(&self, name: &str) -> Option<&str>;
}

impl<S, T> Wire for Connection<S, T>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<AsyncMessage, tokio_postgres::Error>>> {
        Self::poll_message(self, cx)
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        Self::parameter(self, name)
    }
}

/// What a login leaves.
pub(crate) struct Login {
    pub(crate) client: Client,
    pub(crate) wire: Box<dyn Wire>,
    /// What goes over its socket.
    pub(crate) signs: Arc<Signs>,
    /// Has statements that leave together share one Sync.
    pub(crate) merging: Switch,
}

pub(super) async fn open(opener: Opener, target: TargetSession) -> Result<AdminConn, ConnectError> {
    let opener = Arc::new(opener);
    let place = &opener.route.place;
    let work = async {
        let session = opener.open().await?;
        standing::check(&session, place, target).await?;
        Ok(session)
    };
    match opener.route.timeout {
        None => work.await,
        Some(limit) => tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            let reason = format!("no session was ready within {} s", limit.as_secs_f32());
            Err(ConnectError::new(ConnectErrorKind::Timeout, place, reason))
        }),
    }
}

pub(super) async fn log_in(
    config: &Config,
    place: &Place,
    route: &Route,
    encryption: Encryption,
) -> Result<Login, ConnectError> {
    let socket = route.dial().await.map_err(|error| classify::io(place, &error))?;
    let signs = socket.signs();
    let with_tls = encryption != Encryption::Plain;
    let refused = |error: tokio_postgres::Error| classify::driver(place, &error, with_tls.then_some(&*route.tls));
    let merging = Switch::default();
    let switch = merging.clone();
    if with_tls {
        let tls = MergingTls { tls: route.tls_connect(), switch };
        let (client, wire) = config.connect_raw(socket, tls).await.map_err(refused)?;
        Ok(Login { client, wire: Box::new(wire), signs, merging })
    } else {
        let (client, wire) = config.connect_raw(Merging::new(socket, switch), NoTls).await.map_err(refused)?;
        Ok(Login { client, wire: Box::new(wire), signs, merging })
    }
}
