//! Requests that two readers could read in two ways are refused before anybody reads them.
//!
//! hyper repairs what it may repair: of `Transfer-Encoding` and `Content-Length` together it drops the length, of two equal lengths
//! one, and a bare line feed ends a line (RFC 9112, 2.2, 6.3). Somebody in front of the gateway may have repaired the other way round;
//! that difference is what requests are smuggled through (CVE-2026-2833, -2835). So the bytes pass by here first. What
//! is refused is followed by one byte that no parser takes: hyper answers 400 and closes.

mod scan;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use scan::Scan;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// No request line, field or size of a chunk may hold it.
const POISON: u8 = 0;

/// A client's stream.
pub(crate) struct Strict<S> {
    stream: S,
    scan: Scan,
    refused: bool,
    /// From the next message on the bytes are no HTTP: a WebSocket was let through.
    raw: Arc<AtomicBool>,
}

impl<S> Strict<S> {
    pub(crate) fn new(stream: S, raw: Arc<AtomicBool>) -> Self {
        Self { stream, scan: Scan::new(), refused: false, raw }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.refused {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        if this.raw.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        if let Err(at) = this.scan.pass(&buf.filled()[before..]) {
            this.refused = true;
            buf.set_filled(before + at);
            buf.put_slice(&[POISON]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
