//! Cancelling: a second connection to the same server that names the first one's process and secret.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::CancelToken;
use tokio_postgres::tls::TlsConnect;

use super::patient::{Patient, PatientTls};
use crate::connect::{ConnectError, Route, Socket};

/// Stops what a session runs, from anywhere, as often as wanted.
#[derive(Clone)]
pub struct Canceller {
    token: CancelToken,
    route: Arc<Route>,
}

impl Canceller {
    pub(super) fn new(token: CancelToken, route: Arc<Route>) -> Self {
        Self { token, route }
    }

    /// Sends the request, with the same TLS as the session has.
    ///
    /// The server does not answer it but by hanging up, which is waited for. When nothing runs, nothing happens – but a statement that starts just then may
    /// be hit, so wait for the outcome of the one that was meant before sending another.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn cancel(&self) -> Result<(), ConnectError> {
        let work = async {
            let socket = self.route.dial().await.map_err(|error| self.route.io_error(&error))?;
            let sent = self.token.cancel_query_raw(Patient::new(socket), PatientTls(self.route.tls_connect())).await;
            sent.map_err(|error| self.route.driver_error(&error))
        };
        match self.route.timeout {
            None => work.await,
            Some(limit) => tokio::time::timeout(limit, work)
                .await
                .unwrap_or_else(|_| Err(self.route.io_error(&std::io::ErrorKind::TimedOut.into()))),
        }
    }
}

/// The length of a cancel request: length, code, process, secret.
const CANCEL_REQUEST_BYTES: usize = 16;

/// The process id from the login.
///
/// The driver keeps it to itself, but writes it into every cancel request; one that goes to a pipe inside this
/// process tells it without a round trip. 0 if the driver's message ever changes its shape.
pub(super) async fn backend_pid(token: &CancelToken) -> i32 {
    let (ours, theirs) = tokio::io::duplex(64);
    let read = async {
        let mut ours = ours;
        let mut message = [0_u8; CANCEL_REQUEST_BYTES];
        ours.read_exact(&mut message[..8]).await.ok()?;
        if message[..4] == 8_i32.to_be_bytes() {
            // A request for TLS comes first where the session has it; say yes, and TlsConnect below does nothing.
            ours.write_all(b"S").await.ok()?;
            ours.read_exact(&mut message[..8]).await.ok()?;
        }
        ours.read_exact(&mut message[8..]).await.ok()?;
        Some(i32::from_be_bytes([message[8], message[9], message[10], message[11]]))
    };
    let write = token.cancel_query_raw(Socket::new(theirs), Pipe);
    let (pid, _) = futures_util::future::join(read, write).await;
    pid.unwrap_or(0)
}

/// TLS that is none.
struct Pipe;

impl TlsConnect<Socket> for Pipe {
    type Stream = Socket;
    type Error = std::io::Error;
    type Future = std::future::Ready<Result<Socket, std::io::Error>>;

    fn connect(self, stream: Socket) -> Self::Future {
        std::future::ready(Ok(stream))
    }
}
