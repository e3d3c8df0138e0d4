//! The body of an answer: ours, or a service's, which passes as it comes.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use runtime::BoxError;

use crate::endpoint::InFlight;
use crate::link::Link;

/// What is sent to a client.
pub(crate) enum Answer {
    Ours(axum::body::Body),
    Theirs(Box<Theirs>),
    /// Of a connection that has a task of its own.
    Loose(Incoming, #[expect(dead_code, reason = "counts until it is dropped")] InFlight),
}

/// A service's body, with the connection that it comes by. Whoever drops it in the middle closes that connection, so the
/// service sees that nobody reads any more.
pub(crate) struct Theirs {
    incoming: Incoming,
    link: Option<Link>,
    in_flight: InFlight,
}

impl Answer {
    pub(crate) fn empty() -> Self {
        Self::Ours(axum::body::Body::empty())
    }

    pub(crate) fn theirs(incoming: Incoming, link: Link, in_flight: InFlight) -> Self {
        let mut theirs = Theirs { incoming, link: Some(link), in_flight };
        if theirs.incoming.is_end_stream() {
            theirs.give_back();
            return Self::empty();
        }
        Self::Theirs(Box::new(theirs))
    }
}

impl Theirs {
    fn give_back(&mut self) {
        if let Some(link) = self.link.take() {
            self.in_flight.0.give_back(link);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        // What is here already comes without a look at the socket; asking also makes room for more.
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if let Some(link) = &mut self.link
            && link.drive(cx).is_ready()
        {
            // It has ended; how, the body says.
            self.link = None;
        }
        Pin::new(&mut self.incoming).poll_frame(cx)
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Ours(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Loose(incoming, _) => Pin::new(incoming).poll_frame(cx).map_err(Into::into),
            Self::Theirs(theirs) => {
                let frame = std::task::ready!(theirs.poll(cx));
                // The last frame of a body of known length is its end; nobody asks again then.
                if frame.is_none() || theirs.incoming.is_end_stream() {
                    theirs.give_back();
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Ours(body) => body.is_end_stream(),
            Self::Loose(incoming, _) => incoming.is_end_stream(),
            Self::Theirs(theirs) => theirs.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Ours(body) => body.size_hint(),
            Self::Loose(incoming, _) => incoming.size_hint(),
            Self::Theirs(theirs) => theirs.incoming.size_hint(),
        }
    }
}
