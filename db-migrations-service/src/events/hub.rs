//! The newest events at hand, and those who listen.
//!
//! There is no queue per listener: each has a place and takes what lies behind it, so a thousand of them cost a thousand
//! numbers, and one that does not read costs nothing more. What goes over the wire is made once for all who want all of it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};

use super::Happening;

/// At hand are at most so many events …
pub(super) const KEPT: usize = 4_096;
/// … of so many bytes in all.
const KEPT_BYTES: usize = 4 << 20;
/// A listener takes so many bytes at a time, or one event.
pub(super) const TAKEN_BYTES: usize = 32 << 10;
/// So many of these pieces are kept for the next who is at the same place.
const PIECES: usize = 32;
/// Listeners are woken in so many groups, one after the other: what they have to be sent must not stand in the way of a
/// run that shares the processors with them.
const GROUPS: usize = 16;
/// The pause between two groups …
const BETWEEN_GROUPS: Duration = Duration::from_millis(5);
/// … and while a run is under way so much for each byte that a group is sent, nanoseconds. A byte costs the processors about
/// one, so the listeners have a few per cent of one of them, and the rest when the run is over.
const PAUSE_FOR_BYTE_NS: u64 = 40;
/// So few listeners need no groups.
const FEW: usize = 64;

/// The events of this copy of the service.
#[derive(Debug)]
pub struct Hub {
    ring: Mutex<Ring>,
    pieces: Mutex<VecDeque<Piece>>,
    groups: [watch::Sender<i64>; GROUPS],
    listeners: AtomicUsize,
    runs: AtomicUsize,
    next_group: AtomicUsize,
    /// There may be something new to read.
    stirred: Notify,
}

/// Everything between two events as it goes over the wire.
#[derive(Debug)]
struct Piece {
    after: i64,
    upto: i64,
    messages: Bytes,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Arc<Happening>>,
    bytes: usize,
    /// What comes after this one is at hand; `None` before anything was read.
    from: Option<i64>,
    latest: i64,
}

impl Ring {
    fn reaches(&self, id: i64) -> bool {
        self.from.is_some_and(|from| (from..=self.latest).contains(&id))
    }

    fn push(&mut self, event: Arc<Happening>) {
        self.bytes += event.frame().len();
        self.latest = event.id;
        self.events.push_back(event);
        while self.events.len() > KEPT || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.frame().len();
            self.from = Some(oldest.id);
        }
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            ring: Mutex::default(),
            pieces: Mutex::default(),
            groups: std::array::from_fn(|_| watch::Sender::new(0)),
            listeners: AtomicUsize::new(0),
            runs: AtomicUsize::new(0),
            next_group: AtomicUsize::new(0),
            stirred: Notify::new(),
        }
    }
}

impl Hub {
    /// Says that there may be something new to read.
    pub fn stir(&self) {
        self.stirred.notify_one();
    }

    /// Waits until somebody says so.
    pub(super) async fn stirred(&self) {
        self.stirred.notified().await;
    }

    /// The last event at hand; `None` before anything was read.
    pub fn latest(&self) -> Option<i64> {
        let ring = self.ring();
        ring.from.map(|_| ring.latest)
    }

    /// Begins after `id`: what is at hand is forgotten, and so are the pieces made of it.
    pub(super) fn begin(&self, id: i64) {
        *self.ring() = Ring { from: Some(id), latest: id, ..Ring::default() };
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner).clear();
        for group in &self.groups {
            group.send_replace(id);
        }
    }

    /// Takes events in, and wakes who listens, a few at a time.
    pub(super) async fn take_in(&self, events: Vec<Arc<Happening>>) {
        let Some(latest) = events.last().map(|event| event.id) else { return };
        let bytes: usize = events.iter().map(|event| event.frame().len()).sum();
        {
            let mut ring = self.ring();
            for event in events {
                ring.push(event);
            }
        }
        let listeners = self.listeners.load(Ordering::Relaxed);
        let sent_bytes = bytes as u64 * (listeners / GROUPS) as u64;
        for group in &self.groups {
            group.send_replace(latest);
            if listeners > FEW {
                self.let_runs_pass(Duration::from_nanos(sent_bytes.saturating_mul(PAUSE_FOR_BYTE_NS))).await;
            }
        }
    }

    /// A pause, and while a run is under way a longer one.
    async fn let_runs_pass(&self, longest: Duration) {
        let mut paused = Duration::ZERO;
        while paused.is_zero() || (paused < longest && self.runs.load(Ordering::Relaxed) > 0) {
            tokio::time::sleep(BETWEEN_GROUPS).await;
            paused += BETWEEN_GROUPS;
        }
    }

    /// A run is under way until this is dropped; listeners come after it.
    pub fn run_begins(self: &Arc<Self>) -> RunUnderWay {
        self.runs.fetch_add(1, Ordering::Relaxed);
        RunUnderWay(Arc::clone(self))
    }

    /// What is at hand after `id`, a piece of it; `None` where some of it no longer is, or `id` itself was never read.
    pub(super) fn after(&self, id: i64) -> Option<Vec<Arc<Happening>>> {
        let ring = self.ring();
        if !ring.reaches(id) {
            return None;
        }
        let start = ring.events.partition_point(|event| event.id <= id);
        let mut bytes = 0;
        let fits = |event: &&Arc<Happening>| {
            let is_first = bytes == 0;
            bytes += event.frame().len();
            is_first || bytes <= TAKEN_BYTES
        };
        Some(ring.events.range(start..).take_while(fits).cloned().collect())
    }

    /// All of these events, which come after `after`, as they go over the wire.
    pub(super) fn piece(&self, after: i64, events: &[Arc<Happening>]) -> Bytes {
        let Some(upto) = events.last().map(|event| event.id) else { return Bytes::new() };
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(piece) = pieces.iter().rev().find(|piece| piece.after == after && piece.upto == upto) {
            return piece.messages.clone();
        }
        let messages = concatenated(events.iter());
        if pieces.len() == PIECES {
            pieces.pop_front();
        }
        pieces.push_back(Piece { after, upto, messages: messages.clone() });
        messages
    }

    /// Follows the last event at hand.
    pub fn follow(&self) -> watch::Receiver<i64> {
        let group = self.next_group.fetch_add(1, Ordering::Relaxed) % GROUPS;
        self.groups[group].subscribe()
    }

    /// Whether what comes after `id` is at hand, or will be.
    pub(super) fn reaches(&self, id: i64) -> bool {
        self.ring().reaches(id)
    }

    /// Somebody more listens.
    pub(super) fn one_more(&self) {
        self.listeners.fetch_add(1, Ordering::Relaxed);
    }

    /// Somebody no longer does.
    pub(super) fn one_less(&self) {
        self.listeners.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.listeners.load(Ordering::Relaxed)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Hub::run_begins`].
#[derive(Debug)]
pub struct RunUnderWay(Arc<Hub>);

impl Drop for RunUnderWay {
    fn drop(&mut self) {
        self.0.runs.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) fn concatenated<'a>(events: impl Iterator<Item = &'a Arc<Happening>> + Clone) -> Bytes {
    let mut messages = String::with_capacity(events.clone().map(|event| event.frame().len()).sum());
    events.for_each(|event| messages.push_str(event.frame()));
    messages.into()
}
