//! A connection to a copy of a service, driven by the task of the request that it serves.
//!
//! hyper's pooled client gives each connection a task of its own, so that a request crosses to another task and back, often to
//! another thread: half of what a small request costs a proxy. Here whoever holds the connection polls it; while nobody does it
//! lies in the pool, and whether it was closed meanwhile is seen when it is taken out.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::payload::Payload;

type Driver = Connection<TokioIo<TcpStream>, Payload>;

/// One connection.
pub(crate) struct Link {
    sender: SendRequest<Payload>,
    driver: Driver,
    /// It has served before, so it may have been closed on the other side in this very moment.
    pub(crate) is_used: bool,
}

/// Why there is no answer.
pub(crate) enum Lost {
    /// Nothing was sent: here it is again.
    Unsent(Box<Request<Payload>>),
    /// Something may have arrived.
    Sent(hyper::Error),
}

impl Link {
    pub(crate) async fn open(authority: &str, within: Duration) -> std::io::Result<Self> {
        let connect = async {
            let stream = TcpStream::connect(authority).await?;
            // A request is written at once, and answered at once.
            stream.set_nodelay(true)?;
            http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)
        };
        let opened = tokio::time::timeout(within, connect).await;
        let (sender, driver) = opened.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        Ok(Self { sender, driver, is_used: false })
    }

    /// Whether it can serve another request. Nobody is woken by what this finds out.
    pub(crate) fn is_free(&mut self) -> bool {
        let mut nobody = Context::from_waker(Waker::noop());
        Pin::new(&mut self.driver).poll(&mut nobody).is_pending() && self.sender.is_ready()
    }

    /// Sends, and waits for the beginning of the answer.
    pub(crate) async fn send(&mut self, request: Request<Payload>) -> Result<Response<Incoming>, Lost> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let driver = &mut self.driver;
        let mut ended = false;
        let answer = poll_fn(|cx| {
            if !ended {
                // What ended it, the answer says.
                ended = Pin::new(&mut *driver).poll(cx).is_ready();
            }
            answer.as_mut().poll(cx)
        });
        self.is_used = true;
        answer.await.map_err(|mut error| match error.take_message() {
            Some(request) => Lost::Unsent(Box::new(request)),
            None => Lost::Sent(error.into_error()),
        })
    }

    /// Reads and writes what can be; the body of the answer comes by this.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.driver).poll(cx).map(|_| ())
    }
}
