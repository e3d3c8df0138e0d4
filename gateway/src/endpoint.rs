//! One copy of a service: whether it can be sent requests, and the connections to it.

use std::io;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::lanes;
use crate::link::Link;

/// Our services close connections that have been idle for 15 seconds; ours go before that.
const IDLE: Duration = Duration::from_secs(10);
/// So many wait for the next requests.
const MOST_IDLE: usize = 256;
/// So many requests in a row without an answer between them are a copy that does not answer.
const STUMBLES: u32 = 5;

/// How a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Nobody has asked it yet; it is used where there is no better one.
    Unknown,
    /// It has said that it is ready.
    Up,
    /// It did not answer, or said that it is not ready. Only its own word (the active check) puts it back.
    Down,
}

/// A copy.
pub(crate) struct Endpoint {
    /// The service that it is a copy of.
    upstream: Arc<str>,
    /// `host:port`.
    pub(crate) authority: Arc<str>,
    pub(crate) host: HeaderValue,
    state: AtomicU8,
    stumbles: AtomicU32,
    in_flight: AtomicUsize,
    /// By lane: a connection is driven on the thread that has opened it.
    idle: Box<[Mutex<Idle>]>,
    /// Wakes the active check of the whole service.
    check: Arc<Notify>,
}

/// A request under way, counted until this is dropped.
pub(crate) struct InFlight(pub(crate) Arc<Endpoint>);

impl InFlight {
    pub(crate) fn new(endpoint: &Arc<Endpoint>) -> Self {
        endpoint.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(endpoint))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Endpoint {
    pub(crate) fn new(upstream: Arc<str>, authority: Arc<str>, check: Arc<Notify>) -> Self {
        // Places are read from a list of plain characters.
        let host = HeaderValue::from_str(&authority).unwrap_or(HeaderValue::from_static("localhost"));
        Self {
            upstream,
            authority,
            host,
            state: AtomicU8::new(State::Unknown as u8),
            stumbles: AtomicU32::new(0),
            in_flight: AtomicUsize::new(0),
            idle: (0..lanes::most()).map(|_| Mutex::default()).collect(),
            check,
        }
    }

    pub(crate) fn state(&self) -> State {
        match self.state.load(Ordering::Relaxed) {
            0 => State::Unknown,
            1 => State::Up,
            _ => State::Down,
        }
    }

    pub(crate) fn load(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// The active check has found it so.
    pub(crate) fn checked(&self, is_ready: bool) {
        let (now, name) = if is_ready { (State::Up, "ready") } else { (State::Down, "not ready") };
        let before = self.state.swap(now as u8, Ordering::Relaxed);
        if before != now as u8 {
            tracing::info!(upstream = %self.upstream, endpoint = %self.authority, "it is {name}");
        }
        if is_ready {
            self.stumbles.store(0, Ordering::Relaxed);
        } else {
            self.forget_idle();
        }
    }

    /// It cannot be reached: nobody else is sent there until it says that it is ready.
    pub(crate) fn failed(&self, why: &str) {
        self.forget_idle();
        if self.state.swap(State::Down as u8, Ordering::Relaxed) != State::Down as u8 {
            tracing::warn!(upstream = %self.upstream, endpoint = %self.authority, why, "it is not used until it says that it is ready");
        }
        self.check.notify_one();
    }

    /// A request was sent and not answered, which may have been the request's fault.
    pub(crate) fn stumbled(&self) {
        if self.stumbles.fetch_add(1, Ordering::Relaxed) + 1 >= STUMBLES {
            self.failed("it did not answer again and again");
        }
    }

    pub(crate) fn answered(&self) {
        if self.stumbles.load(Ordering::Relaxed) > 0 {
            self.stumbles.store(0, Ordering::Relaxed);
        }
    }

    /// A connection that lies ready, or a new one.
    pub(crate) async fn link(&self, within: Duration) -> io::Result<Link> {
        loop {
            let link = self.idle().pop();
            match link {
                Some((mut link, since)) if since.elapsed() < IDLE => {
                    if link.is_free() {
                        return Ok(link);
                    }
                }
                Some(_) => {}
                None => return Link::open(&self.authority, within).await,
            }
        }
    }

    /// Takes a connection back that has served.
    pub(crate) fn give_back(&self, mut link: Link) {
        if link.is_free() && self.state() != State::Down {
            let mut idle = self.idle();
            if idle.len() < MOST_IDLE {
                idle.push((link, Instant::now()));
            }
        }
    }

    /// Closes connections that nobody has used for a while.
    pub(crate) fn tidy(&self) {
        self.all_idle().for_each(|mut idle| idle.retain(|(_, since)| since.elapsed() < IDLE));
    }

    /// The other side has gone, perhaps come again: what was open to it is worth nothing.
    pub(crate) fn forget_idle(&self) {
        self.all_idle().for_each(|mut idle| idle.clear());
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle[lanes::here()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all_idle(&self) -> impl Iterator<Item = MutexGuard<'_, Idle>> {
        self.idle.iter().map(|idle| idle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

type Idle = Vec<(Link, Instant)>;
