//! One Sync for statements that leave together.
//!
//! The driver ends every statement with a Sync of its own, and the server answers each with a write of its own: of a
//! transaction that is sent in one piece, those are half of what it costs. Between the driver and the line, this takes out every
//! Sync that is followed by another statement in the same piece, and gives the driver the ReadyForQuery that it then
//! misses. What the protocol has beside it: after an error the server skips everything up to the next Sync, so a statement behind one
//! that failed does not run at all. The driver is told so with the error that a failed transaction answers with.
//!
//! Off until it is switched on, for it is right only where whatever leaves together belongs to one transaction.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// A kind and a length.
const HEAD_BYTES: usize = 5;
const READ_BYTES: usize = 8 << 10;
const READY: &[u8] = b"Z\0\0\0\x05T";
const SKIPPED: &[u8] =
    b"E\0\0\0\x5fSERROR\0VERROR\0C25P02\0Man earlier statement of what was sent together with this one failed\0\0";

/// Switches the merging of a stream on.
#[derive(Clone, Default)]
pub(crate) struct Switch(Arc<AtomicBool>);

impl Switch {
    /// To be called when nothing is on its way in either direction.
    pub(crate) fn on(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// What the driver waits for, in the order of its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// The end of a statement whose Sync was taken out.
    Statement,
    /// The server's own ReadyForQuery.
    Ready,
}

/// A stream between the driver and the line.
pub(crate) struct Merging<S> {
    stream: S,
    switch: Switch,
    due: VecDeque<Due>,
    /// For the line.
    outgoing: Outgoing,
    /// For the driver.
    incoming: Outgoing,
    head: Vec<u8>,
    body_left: usize,
}

/// Bytes, and how many of them have gone.
#[derive(Default)]
struct Outgoing {
    bytes: Vec<u8>,
    gone: usize,
}

impl Outgoing {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.gone..]
    }

    fn went(&mut self, bytes: usize) {
        self.gone += bytes;
        if self.gone == self.bytes.len() {
            self.bytes.clear();
            self.gone = 0;
        }
    }
}

impl<S> Merging<S> {
    pub(crate) fn new(stream: S, switch: Switch) -> Self {
        let (outgoing, incoming) = (Outgoing::default(), Outgoing::default());
        Self { stream, switch, due: VecDeque::new(), outgoing, incoming, head: Vec::new(), body_left: 0 }
    }

    fn is_on(&self) -> bool {
        self.switch.0.load(Ordering::Acquire)
    }

    /// Takes over whole messages of the driver, which writes no others.
    fn send(&mut self, piece: &[u8]) {
        let mut rest = piece;
        let mut executes = false;
        while let Some((kind, message, behind)) = split(rest) {
            let merged = kind == b'S' && executes && matches!(behind.first(), Some(b'B' | b'P'));
            match kind {
                b'S' if merged => self.due.push_back(Due::Statement),
                b'S' | b'Q' => self.due.push_back(Due::Ready),
                _ => {}
            }
            executes = kind == b'E' || executes && kind != b'S';
            if !merged {
                self.outgoing.bytes.extend_from_slice(message);
            }
            rest = behind;
        }
        self.outgoing.bytes.extend_from_slice(rest);
    }

    /// Takes over what the server sent, wherever it was cut.
    fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.head.len() < HEAD_BYTES {
                let (part, rest) = bytes.split_at(bytes.len().min(HEAD_BYTES - self.head.len()));
                self.head.extend_from_slice(part);
                self.incoming.bytes.extend_from_slice(part);
                bytes = rest;
                if self.head.len() < HEAD_BYTES {
                    return;
                }
                self.body_left = length(&self.head).saturating_sub(HEAD_BYTES - 1);
            }
            let (part, rest) = bytes.split_at(bytes.len().min(self.body_left));
            self.incoming.bytes.extend_from_slice(part);
            self.body_left -= part.len();
            bytes = rest;
            if self.body_left == 0 {
                let kind = self.head[0];
                self.head.clear();
                self.message_ended(kind);
            }
        }
    }

    fn message_ended(&mut self, kind: u8) {
        match (kind, self.due.front()) {
            (b'Z', _) => {
                self.due.pop_front();
            }
            // The ends that an Execute can have.
            (b'C' | b'I' | b's', Some(Due::Statement)) => {
                self.due.pop_front();
                self.incoming.bytes.extend_from_slice(READY);
            }
            (b'E', Some(Due::Statement)) => {
                self.due.pop_front();
                self.incoming.bytes.extend_from_slice(READY);
                while self.due.front() == Some(&Due::Statement) {
                    self.due.pop_front();
                    self.incoming.bytes.extend_from_slice(SKIPPED);
                    self.incoming.bytes.extend_from_slice(READY);
                }
                // The statement whose Sync was left is skipped as well; that Sync is answered.
                self.incoming.bytes.extend_from_slice(SKIPPED);
            }
            _ => {}
        }
    }
}

fn length(head: &[u8]) -> usize {
    u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize
}

/// The first message of a piece: its kind, all of it, and what is behind it.
fn split(piece: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let head = piece.get(..HEAD_BYTES)?;
    let (message, behind) = piece.split_at_checked(length(head) + 1)?;
    Some((head[0], message, behind))
}

impl<S: AsyncRead + Unpin> AsyncRead for Merging<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.is_on() {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        if this.incoming.rest().is_empty() {
            let mut bytes = [0; READ_BYTES];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut read))?;
            this.receive(read.filled());
        }
        let part = this.incoming.rest();
        let bytes = part.len().min(buf.remaining());
        buf.put_slice(&part[..bytes]);
        this.incoming.went(bytes);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Merging<S> {
    fn poll_outgoing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.rest().is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, self.outgoing.rest()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.went(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Merging<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if !this.is_on() {
            return Pin::new(&mut this.stream).poll_write(cx, buf);
        }
        ready!(this.poll_outgoing(cx))?;
        this.send(buf);
        // What the line does not take now, a flush brings out; the driver always asks for one.
        match this.poll_outgoing(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(buf.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_outgoing(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_outgoing(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Merging<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}

/// TLS with the merging above it.
pub(super) struct MergingTls<T> {
    pub(super) tls: T,
    pub(super) switch: Switch,
}

impl<S, T> TlsConnect<S> for MergingTls<T>
where
    T: TlsConnect<S>,
    T::Stream: Unpin,
    T::Future: Send + 'static,
{
    type Stream = Merging<T::Stream>;
    type Error = T::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, T::Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let connecting = self.tls.connect(stream);
        Box::pin(async move { Ok(Merging::new(connecting.await?, self.switch)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    fn kinds(mut bytes: &[u8]) -> String {
        let mut kinds = String::new();
        while let Some((kind, _, behind)) = split(bytes) {
            kinds.push(char::from(kind));
            bytes = behind;
        }
        assert!(bytes.is_empty(), "whole messages");
        kinds
    }

    fn piece(kinds: &str) -> Vec<u8> {
        kinds.bytes().flat_map(|kind| message(kind, b"some body")).collect()
    }

    /// What the line gets of what the driver sends, and the driver of what the line sends, cut at every byte.
    fn through(sent: &str, answered: &str) -> (String, String) {
        let mut merging = Merging::new((), Switch::default());
        merging.send(&piece(sent));
        for byte in piece(answered) {
            merging.receive(&[byte]);
        }
        (kinds(merging.outgoing.rest()), kinds(merging.incoming.rest()))
    }

    #[test]
    fn of_a_piece_the_last_sync_is_left_and_the_driver_misses_none() {
        let got = through("BESBESBES", "2C2DDC2CZ");
        assert_eq!(got, ("BEBEBES".to_owned(), "2CZ2DDCZ2CZ".to_owned()));
        // Statements that are prepared tell their end in another way, and keep their Sync; so does a goodbye's neighbour.
        assert_eq!(through("PDSBES", "1tnZ2CZ").0, "PDSBES");
        assert_eq!(through("BESQ", "2CZCZ"), ("BESQ".to_owned(), "2CZCZ".to_owned()));
        assert_eq!(through("BESPDS", "2C1tTZ"), ("BEPDS".to_owned(), "2CZ1tTZ".to_owned()));
        // Notices and the like come at any time.
        assert_eq!(through("BESBES", "N2NCSA2CZ").1, "N2NCZSA2CZ");
    }

    #[test]
    fn what_the_server_skips_is_told_to_the_driver() {
        assert_eq!(through("BESBESBESBES", "2CEZ").1, "2CZEZEZEZ");
        assert_eq!(through("BESBES", "EZ").1, "EZEZ");
        assert_eq!(through("BESBES", "2C2EZ").1, "2CZ2EZ", "the last statement's own error");
        // The next piece is one of its own.
        assert_eq!(through("BESBESQ", "EZCZ").1, "EZEZCZ");
        assert_eq!(kinds(SKIPPED), "E");
        assert_eq!(kinds(READY), "Z");
    }
}
