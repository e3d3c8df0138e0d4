//! A request's body on its way to a service: counted, and not waited for without end.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use runtime::BoxError;
use tokio::time::{Instant, Sleep};

/// A body that takes longer than its time of grace may come this slowly, bytes a second.
const SLOWEST: u64 = 8 << 10;

/// What is sent.
pub(crate) enum Payload {
    Empty,
    /// Small, and here already: it can be sent again.
    Whole(Option<Bytes>),
    Stream(Box<Metered>),
}

/// How a stream is getting on; held by whoever waits for the answer.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    bytes: AtomicU64,
    fault: AtomicU8,
}

/// What was wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    TooLarge,
    TooSlow,
    /// It broke off, or was no good HTTP.
    Broken,
}

impl Progress {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        match self.fault.load(Ordering::Relaxed) {
            1 => Some(Fault::TooLarge),
            2 => Some(Fault::TooSlow),
            3 => Some(Fault::Broken),
            _ => None,
        }
    }

    fn fail(&self, fault: Fault) -> BoxError {
        self.fault.store(fault as u8 + 1, Ordering::Relaxed);
        format!("the request's body: {fault:?}").into()
    }
}

/// A body under its limits. Only the time in which the client is waited for counts, not that of a service that reads slowly.
pub(crate) struct Metered {
    incoming: Incoming,
    progress: Arc<Progress>,
    limit: u64,
    grace: Duration,
    waited: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Metered {
    pub(crate) fn new(incoming: Incoming, limit: u64, grace: Duration) -> (Self, Arc<Progress>) {
        let progress = Arc::<Progress>::default();
        let told = Arc::clone(&progress);
        (Self { incoming, progress, limit, grace, waited: Duration::ZERO, waiting: None }, told)
    }

    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let allowed = self.grace + Duration::from_millis(self.progress.bytes() * 1000 / SLOWEST);
        let left = allowed.saturating_sub(self.waited);
        let waiting = self.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(left))));
        waiting.1.as_mut().poll(cx).is_ready()
    }
}

impl Body for Metered {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(cx) else {
            if this.is_late(cx) {
                return Poll::Ready(Some(Err(this.progress.fail(Fault::TooSlow))));
            }
            return Poll::Pending;
        };
        if let Some((since, _)) = this.waiting.take() {
            this.waited += since.elapsed();
        }
        let frame = match frame {
            None => return Poll::Ready(None),
            Some(Err(_)) => return Poll::Ready(Some(Err(this.progress.fail(Fault::Broken)))),
            Some(Ok(frame)) => frame,
        };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let so_far = this.progress.bytes.fetch_add(length, Ordering::Relaxed) + length;
        if so_far > this.limit {
            return Poll::Ready(Some(Err(this.progress.fail(Fault::TooLarge))));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(metered) => Pin::new(metered).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(bytes) => bytes.is_none(),
            Self::Stream(metered) => metered.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(metered) => metered.size_hint(),
        }
    }
}
