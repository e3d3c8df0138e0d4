//! The events of a run under way, for any number of listeners who come when they like and read as slowly as they like.
//!
//! The run writes into a ring and goes on; a listener takes what lies after the last event it saw. What has left the
//! ring is in the master database.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use migration_engine::Event;
use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::master::runs::EventLine;

/// Enough for a thousand migrations with room for waits; at some 300 bytes each a few megabytes.
const KEPT: usize = 10_000;

/// One event with its place in the run.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its place, from 1.
    pub seq: u64,
    /// When it happened.
    pub at: OffsetDateTime,
    /// What happened.
    pub event: Event,
    /// The short statements of its migration that were done before it, and were not told one by one.
    pub short: Vec<ShortStatement>,
}

/// A statement, or those of one message, that nobody is told of by itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShortStatement {
    /// 1-based.
    pub statement: usize,
    /// The last of those that went in the same message.
    pub through: usize,
    /// The line of the file that it begins at, 1-based.
    pub line: usize,
    /// What it was: `CREATE TABLE` …
    pub tag: String,
    /// The rows that it wrote or read.
    pub rows: u64,
    /// Wall time, milliseconds.
    pub duration_ms: f64,
}

impl ShortStatement {
    fn of(event: Event) -> Option<Self> {
        let Event::StatementFinished { statement, through, line, tag, rows, duration_ms, .. } = event else {
            return None;
        };
        // A microsecond is more than anybody reads, and a third of the digits.
        Some(Self { statement, through, line, tag, rows, duration_ms: (duration_ms * 1_000.0).round() / 1_000.0 })
    }
}

impl From<&Recorded> for EventLine {
    fn from(recorded: &Recorded) -> Self {
        let mut event = serde_json::to_value(&recorded.event).unwrap_or_default();
        if !recorded.short.is_empty() {
            event["shortStatements"] = serde_json::to_value(&recorded.short).unwrap_or_default();
        }
        Self { seq: recorded.seq, at: recorded.at, event }
    }
}

/// How far a run is, as listeners need to know it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Mark {
    latest: u64,
    /// Migrations that are in, or taken back.
    done: usize,
    /// No more events will come.
    complete: bool,
    /// The run's record is written too.
    over: bool,
}

#[derive(Debug, Default)]
struct Ring {
    told: VecDeque<Arc<Recorded>>,
    /// Waits for the next event of its migration.
    short: Vec<ShortStatement>,
}

#[derive(Debug, Default)]
pub(super) struct EventLog {
    ring: Mutex<Ring>,
    mark: watch::Sender<Mark>,
}

impl EventLog {
    /// Called from the run itself: takes a lock that is held for a push, and returns. Of a thousand short statements nobody
    /// wants to be told one by one: they come along with the next event of their migration.
    pub(super) fn push(&self, event: Event) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if event.is_brief() {
            ring.short.extend(ShortStatement::of(event));
            return;
        }
        let seq = self.mark.borrow().latest + 1;
        let done = usize::from(matches!(event, Event::MigrationFinished { .. }));
        if matches!(event, Event::MigrationStarted { .. }) {
            ring.short.clear();
        }
        let short = if event.migration().is_some() { std::mem::take(&mut ring.short) } else { Vec::new() };
        if ring.told.len() == KEPT {
            ring.told.pop_front();
        }
        ring.told.push_back(Arc::new(Recorded { seq, at: OffsetDateTime::now_utc(), event, short }));
        self.mark.send_modify(|mark| (mark.latest, mark.done) = (seq, mark.done + done));
    }

    pub(super) fn done(&self) -> usize {
        self.mark.borrow().done
    }

    pub(super) fn complete(&self) {
        self.mark.send_modify(|mark| mark.complete = true);
    }

    pub(super) fn over(&self) {
        self.mark.send_modify(|mark| (mark.complete, mark.over) = (true, true));
    }

    pub(super) async fn wait_complete(&self) {
        // The sender lives as long as `self`, so this cannot fail.
        let _ = self.mark.subscribe().wait_for(|mark| mark.complete).await;
    }

    pub(super) async fn wait_over(&self) {
        let _ = self.mark.subscribe().wait_for(|mark| mark.over).await;
    }

    fn after(&self, seq: u64) -> Vec<Arc<Recorded>> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let start = ring.told.partition_point(|recorded| recorded.seq <= seq);
        ring.told.range(start..).cloned().collect()
    }
}

/// Reads a run's events from some place on.
#[derive(Debug)]
pub struct Follower {
    log: Arc<EventLog>,
    mark: watch::Receiver<Mark>,
    after: u64,
    until_over: bool,
}

impl Follower {
    pub(super) fn new(log: Arc<EventLog>, after: u64, until_over: bool) -> Self {
        Self { mark: log.mark.subscribe(), log, after, until_over }
    }

    /// What has happened since the last call, waiting for something to happen; `None` once the run is over and all of
    /// it was read. Cancelling the call loses nothing.
    pub async fn next(&mut self) -> Option<Vec<Arc<Recorded>>> {
        loop {
            let mark = *self.mark.borrow_and_update();
            let events = self.log.after(self.after);
            if let Some(last) = events.last() {
                self.after = last.seq;
                return Some(events);
            }
            if mark.over || (mark.complete && !self.until_over) {
                return None;
            }
            if self.mark.changed().await.is_err() {
                return None;
            }
        }
    }

    /// The first event that is still at hand, where those before it have left the ring.
    pub fn gap(&self) -> Option<u64> {
        let first =
            self.log.ring.lock().unwrap_or_else(PoisonError::into_inner).told.front().map(|recorded| recorded.seq)?;
        (first > self.after + 1).then_some(first)
    }

    /// Goes on after `seq`.
    pub fn skip_to(&mut self, seq: u64) {
        self.after = self.after.max(seq);
    }
}

#[cfg(test)]
mod tests {
    use migration_engine::MigrationId;
    use migration_engine::event::Outcome;

    use super::*;

    fn event(done: usize) -> Event {
        Event::Finished { outcome: Outcome::Completed, done, duration_ms: 0 }
    }

    #[tokio::test]
    async fn a_late_listener_sees_everything_and_then_the_end() {
        let log = Arc::new(EventLog::default());
        log.push(event(1));
        log.push(event(2));
        let mut follower = Follower::new(Arc::clone(&log), 0, true);
        assert_eq!(follower.next().await.map(|events| events.len()), Some(2));
        log.push(event(3));
        log.over();
        assert_eq!(follower.next().await.map(|events| events[0].seq), Some(3));
        assert!(follower.next().await.is_none());
        assert_eq!(Follower::new(log, 2, true).next().await.map(|events| events.len()), Some(1));
    }

    /// A statement of 1.2345 ms, told by itself or not.
    fn finished(statement: usize, lasted: bool) -> Event {
        Event::StatementFinished {
            migration: MigrationId::new("alumnos", "20260101000001".parse().expect("a version")),
            statement,
            through: statement,
            of: 3,
            line: statement,
            tag: "CREATE TABLE".to_owned(),
            rows: 0,
            resumed: false,
            duration_ms: 1.2345,
            lasted,
        }
    }

    #[tokio::test]
    async fn short_statements_come_along_with_the_next_event_of_their_migration() {
        let log = Arc::new(EventLog::default());
        for event in [finished(1, false), finished(2, false), event(0), finished(3, true), finished(4, true)] {
            log.push(event);
        }
        let events = Follower::new(log, 0, true).next().await.expect("events");
        let lines: Vec<_> = events.iter().map(|recorded| EventLine::from(&**recorded).event).collect();
        let short = |n: usize| serde_json::json!({ "statement": n, "through": n, "line": n, "tag": "CREATE TABLE", "rows": 0, "durationMs": 1.235 });
        assert_eq!(lines[1]["shortStatements"], serde_json::json!([short(1), short(2)]));
        assert!(lines.len() == 3 && [0, 2].iter().all(|at: &usize| lines[*at].get("shortStatements").is_none()));
    }

    #[tokio::test]
    async fn what_left_the_ring_shows_as_a_gap() {
        let log = Arc::new(EventLog::default());
        for n in 0..KEPT + 5 {
            log.push(event(n));
        }
        assert_eq!(Follower::new(Arc::clone(&log), 0, true).gap(), Some(6));
        assert_eq!(Follower::new(log, 5, true).gap(), None);
    }
}
