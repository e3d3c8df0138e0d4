//! A stream that hangs up only after the other side did.
//!
//! libpq waits like this after a cancel request. The driver hangs up at once, and a PgBouncer before 1.20 that is left alone with
//! a request it is still passing on ends itself, with everybody's sessions (its issue 801).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use crate::connect::Socket;

/// The other side has this long to hang up: a network that is cut must not keep the caller.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits, when it is shut down, for the end of what can be read.
pub(super) struct Patient<S> {
    stream: S,
    limit: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, limit: None }
    }
}

impl<S: AsyncRead + Unpin> Patient<S> {
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit.get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
        if limit.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        loop {
            let mut bytes = [0; 64];
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.poll_end(cx).is_pending() {
            return Poll::Pending;
        }
        // The request was sent and the other side is gone: how this side goes matters to nobody.
        Pin::new(&mut self.stream).poll_shutdown(cx).map(|_| Ok(()))
    }
}

impl<S: TlsStream + Unpin> TlsStream for Patient<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}

/// TLS over a patient stream, itself patient: its goodbye is a message, too.
pub(super) struct PatientTls<T>(pub(super) T);

impl<T> TlsConnect<Patient<Socket>> for PatientTls<T>
where
    T: TlsConnect<Socket>,
    T::Future: Send + 'static,
{
    type Stream = Patient<T::Stream>;
    type Error = T::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, T::Error>> + Send>>;

    fn connect(self, stream: Patient<Socket>) -> Self::Future {
        let connecting = self.0.connect(stream.stream);
        Box::pin(async move { connecting.await.map(Patient::new) })
    }
}
