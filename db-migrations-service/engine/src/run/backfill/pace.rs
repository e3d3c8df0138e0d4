//! How many rows the next batch has, so that it takes about as long as it may.

use std::time::Duration;

/// What a batch begins with where nothing is known.
const FIRST: u64 = 500;

/// More rows than this in one transaction gain nothing any more.
const MOST: u64 = 100_000;

/// So many batches in a row that took far too long, although they became smaller, mean that the server is busy.
const PATIENCE: u32 = 3;

#[derive(Debug, Clone)]
pub(super) struct Pace {
    budget: Duration,
    most: u64,
    rows: u64,
    slow: u32,
}

impl Pace {
    /// `known` is what an earlier run found out.
    pub(super) fn new(budget: Duration, most: Option<u64>, known: Option<u64>) -> Self {
        let most = most.unwrap_or(MOST).min(MOST);
        Self { budget, most, rows: known.unwrap_or(FIRST).clamp(1, most), slow: 0 }
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// A batch of `rows` went through in `time`.
    pub(super) fn took(&mut self, rows: u64, time: Duration) {
        let share = self.budget.as_secs_f64() / time.as_secs_f64().max(0.000_1);
        self.slow = if share < 0.5 { self.slow + 1 } else { 0 };
        // One slow batch is chance, and so is one fast: it grows and shrinks by steps.
        let next = rows as f64 * share.clamp(0.25, 2.0);
        self.rows = (next as u64).clamp(1, self.most);
    }

    /// A lock in it did not come, or somebody waited for it too long: fewer rows hold fewer locks.
    pub(super) fn blocked(&mut self) {
        self.rows = (self.rows / 4).max(1);
    }

    /// How long to leave the server alone, where batches take too long again and again.
    pub(super) fn rest(&self, time: Duration) -> Option<Duration> {
        (self.slow >= PATIENCE).then(|| time.clamp(self.budget, Duration::from_secs(10)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_grow_and_shrink_to_their_budget() {
        let budget = Duration::from_millis(200);
        let mut pace = Pace::new(budget, None, None);
        // A server that does 50 rows a millisecond has room for 10,000.
        for _ in 0..10 {
            pace.took(pace.rows(), Duration::from_micros(pace.rows() * 20));
        }
        assert!((9_000..=11_000).contains(&pace.rows()), "{pace:?}");
        // It becomes ten times as slow.
        for _ in 0..10 {
            pace.took(pace.rows(), Duration::from_micros(pace.rows() * 200));
        }
        assert!((900..=1_100).contains(&pace.rows()) && pace.rest(budget).is_none(), "{pace:?}");
    }

    #[test]
    fn it_keeps_to_its_bounds_and_to_what_was_known() {
        let mut pace = Pace::new(Duration::from_millis(200), Some(40), Some(7));
        assert_eq!(pace.rows(), 7);
        for _ in 0..10 {
            pace.took(pace.rows(), Duration::from_micros(1));
        }
        assert_eq!(pace.rows(), 40);
        for _ in 0..10 {
            pace.blocked();
        }
        assert_eq!(pace.rows(), 1);
    }

    #[test]
    fn a_server_that_is_too_slow_for_the_smallest_batch_is_left_alone() {
        let mut pace = Pace::new(Duration::from_millis(200), None, Some(1));
        let slow = Duration::from_secs(3);
        for _ in 0..2 {
            pace.took(1, slow);
            assert_eq!(pace.rest(slow), None);
        }
        pace.took(1, slow);
        assert_eq!(pace.rest(slow), Some(slow));
        assert_eq!(pace.rest(Duration::from_mins(1)), Some(Duration::from_secs(10)));
        pace.took(1, Duration::from_millis(150));
        assert_eq!(pace.rest(slow), None);
    }
}
