//! Somebody who listens: a place in what happens.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use super::hub::{Hub, concatenated};
use super::{Happening, Wanted};

/// What a listener hears.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// Messages of an event stream.
    Messages(Bytes),
    /// What comes next is no longer at hand: they were too slow, and go on from the table.
    Behind,
}

/// Somebody who listens. What they have not taken waits for them in the hub, and nowhere else.
#[derive(Debug)]
pub struct Listener {
    hub: Arc<Hub>,
    mark: watch::Receiver<i64>,
    wanted: Wanted,
    after: i64,
}

impl Listener {
    /// Listens from after the event `after`.
    pub fn new(hub: Arc<Hub>, wanted: Wanted, after: i64) -> Self {
        hub.one_more();
        Self { mark: hub.follow(), hub, wanted, after }
    }

    /// The last event that was looked at for them, whether or not they wanted it.
    pub fn after(&self) -> i64 {
        self.after
    }

    /// What they want.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Goes on after `id`.
    pub fn skip_to(&mut self, id: i64) {
        self.after = self.after.max(id);
    }

    /// Whether what comes next is at hand, or will be.
    pub fn is_near(&self) -> bool {
        self.hub.reaches(self.after)
    }

    /// What they want of what has happened since the last call, waiting for something to happen. Cancelling the call
    /// loses nothing.
    pub async fn next(&mut self) -> Heard {
        loop {
            self.mark.borrow_and_update();
            let Some(events) = self.hub.after(self.after) else { return Heard::Behind };
            let messages = self.messages(&events);
            self.after = events.last().map_or(self.after, |last| last.id);
            if !messages.is_empty() {
                return Heard::Messages(messages);
            }
            // Nothing of this piece is wanted; there may be more at hand.
            if !events.is_empty() {
                continue;
            }
            if self.mark.changed().await.is_err() {
                // The hub is this listener's own, so this cannot be.
                return Heard::Behind;
            }
        }
    }

    fn messages(&self, events: &[Arc<Happening>]) -> Bytes {
        if self.wanted.is_everything() {
            self.hub.piece(self.after, events)
        } else {
            concatenated(events.iter().filter(|event| self.wanted.holds(event)))
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.hub.one_less();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::happening;
    use super::super::hub::{KEPT, TAKEN_BYTES};
    use super::*;

    fn event(id: i64, kind: &str, service: Option<&str>) -> Arc<Happening> {
        Arc::new(happening::tests::event(id, kind, service))
    }

    async fn hub_with(ids: std::ops::RangeInclusive<i64>) -> Arc<Hub> {
        let hub = Arc::new(Hub::default());
        hub.begin(ids.start() - 1);
        hub.take_in(ids.map(|id| event(id, "planned", None)).collect()).await;
        hub
    }

    #[tokio::test]
    async fn a_listener_hears_what_comes_after_their_place_in_order() {
        let hub = hub_with(5..=7).await;
        let mut listener = Listener::new(Arc::clone(&hub), Wanted::default(), 5);
        let messages = "id: 6\nevent: planned\ndata: {\"id\": 6}\n\nid: 7\nevent: planned\ndata: {\"id\": 7}\n\n";
        assert_eq!(listener.next().await, Heard::Messages(messages.into()));
        assert_eq!(hub.after(6).expect("at hand")[0].document(), "{\"id\": 7}");
        hub.take_in(vec![event(9, "run_ended", None)]).await;
        assert!(
            matches!(listener.next().await, Heard::Messages(text) if text.starts_with(b"id: 9\nevent: run_ended\n"))
        );
        assert_eq!((listener.after(), hub.listeners()), (9, 1));
        drop(listener);
        assert_eq!(hub.listeners(), 0);
    }

    #[tokio::test]
    async fn who_does_not_read_is_told_and_holds_up_nobody() {
        let hub = hub_with(1..=1).await;
        let mut slow = Listener::new(Arc::clone(&hub), Wanted::default(), 0);
        let more = KEPT as i64 + 1;
        hub.take_in((2..=more).map(|id| event(id, "planned", None)).collect()).await;
        assert!(!slow.is_near());
        assert_eq!(slow.next().await, Heard::Behind);
        assert_ne!(Listener::new(hub, Wanted::default(), more - 1).next().await, Heard::Behind);
    }

    #[tokio::test]
    async fn pieces_are_small_and_shared_by_all_who_want_everything() {
        let hub = hub_with(1..=3_000).await;
        let mut one = Listener::new(Arc::clone(&hub), Wanted::default(), 0);
        let mut other = Listener::new(Arc::clone(&hub), Wanted::default(), 0);
        let mut all = Vec::new();
        while one.after() < 3_000 {
            let (Heard::Messages(first), Heard::Messages(second)) = (one.next().await, other.next().await) else {
                panic!("all of it is at hand")
            };
            assert_eq!((first.as_ptr(), first.len()), (second.as_ptr(), second.len()), "one piece of memory");
            assert!(first.len() <= TAKEN_BYTES);
            all.extend_from_slice(&first);
        }
        let text = String::from_utf8(all).expect("text");
        let ids: Vec<i64> = text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
        assert_eq!(ids, (1..=3_000).collect::<Vec<_>>(), "each once, in order");
        let kinds = HashSet::from(["run_ended".to_owned()]);
        let mut picky = Listener::new(Arc::clone(&hub), Wanted { kinds, ..Wanted::default() }, 0);
        hub.take_in(vec![event(3_001, "run_ended", None)]).await;
        assert!(matches!(picky.next().await, Heard::Messages(text) if text.starts_with(b"id: 3001\n")));
    }

    #[tokio::test]
    async fn before_anything_was_read_nobody_is_near() {
        let hub = Arc::new(Hub::default());
        assert_eq!(hub.latest(), None);
        assert!(!Listener::new(hub, Wanted::default(), 0).is_near());
    }

    #[tokio::test]
    async fn a_master_database_that_counts_anew_is_told_to_who_was_further() {
        let hub = hub_with(1..=9).await;
        let mut listener = Listener::new(Arc::clone(&hub), Wanted::default(), 9);
        hub.begin(3);
        assert_eq!(listener.next().await, Heard::Behind);
        assert!(Listener::new(hub, Wanted::default(), 3).is_near());
    }

    #[tokio::test]
    async fn many_listeners_come_after_a_run() {
        let hub = hub_with(1..=1).await;
        let listeners: Vec<_> = (0..1_000).map(|_| Listener::new(Arc::clone(&hub), Wanted::default(), 1)).collect();
        let took = async |ids: std::ops::RangeInclusive<i64>| {
            let begun = std::time::Instant::now();
            hub.take_in(ids.map(|id| event(id, "planned", None)).collect()).await;
            begun.elapsed()
        };
        let run = hub.run_begins();
        let beside = took(2..=1_000).await;
        drop(run);
        let after = took(1_001..=1_999).await;
        assert!(beside > 4 * after, "{beside:?}, {after:?}");
        assert_eq!(hub.listeners(), listeners.len());
    }
}
