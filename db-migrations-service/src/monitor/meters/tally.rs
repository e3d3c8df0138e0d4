//! Counters and histograms of durations, by what they count and their labels.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::master::meters::Metered;

/// Upper ends of the histograms' buckets, seconds: from a small statement to an index on a large table. Sums of them are kept in
/// the master database, which knows them by their place only: they stay as they are, or a meter gets another name.
pub(in crate::monitor) const BOUNDS_S: [f64; 12] =
    [0.005, 0.025, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0];

/// What is counted. The order is that of their words, and of the rows in the master database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::monitor) enum Meter {
    /// Work on backups, by action and outcome.
    Backups,
    /// Runs that failed, by environment and the class of the SQLSTATE.
    Failures,
    /// Waits for a lock that are over, by environment.
    LockWaits,
    /// Migrations applied or taken back, by environment.
    Migrations,
    /// Attempts taken back since a lock was not had in time, by environment.
    Retries,
    /// Whole runs, by environment, kind and outcome.
    Runs,
    /// Statements of migrations, those of attempts that were taken back too, by environment.
    Statements,
    /// Attempts taken back to let others pass, by environment.
    Yields,
}

impl Meter {
    const ALL: [Self; 8] = [
        Self::Backups,
        Self::Failures,
        Self::LockWaits,
        Self::Migrations,
        Self::Retries,
        Self::Runs,
        Self::Statements,
        Self::Yields,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Backups => "backup",
            Self::Failures => "failure",
            Self::LockWaits => "lock_wait",
            Self::Migrations => "migration",
            Self::Retries => "retry",
            Self::Runs => "run",
            Self::Statements => "statement",
            Self::Yields => "yield",
        }
    }
}

/// How often which durations came; of what is not timed, how often.
#[derive(Debug, Default, Clone, PartialEq)]
pub(in crate::monitor) struct Histogram {
    /// By the first of [`BOUNDS_S`] that is not less; what is longer than all of them is only in `count`.
    buckets: [u64; BOUNDS_S.len()],
    pub(in crate::monitor) count: u64,
    pub(in crate::monitor) sum_s: f64,
}

impl Histogram {
    pub(super) fn observe(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        if let Some(bucket) = BOUNDS_S.iter().position(|bound| seconds <= *bound) {
            self.buckets[bucket] += 1;
        }
        self.count += 1;
        self.sum_s += seconds;
    }

    pub(super) fn increment(&mut self) {
        self.count += 1;
    }

    fn add(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(other.buckets).for_each(|(sum, n)| *sum += n);
        self.count += other.count;
        self.sum_s += other.sum_s;
    }

    /// Each bound, with how many were not more.
    pub(in crate::monitor) fn up_to(&self) -> impl Iterator<Item = (f64, u64)> {
        BOUNDS_S.iter().zip(&self.buckets).scan(0, |sum, (bound, n)| {
            *sum += n;
            Some((*bound, *sum))
        })
    }
}

/// All that was counted.
#[derive(Debug, Default, Clone, PartialEq)]
pub(in crate::monitor) struct Tally(BTreeMap<(Meter, Vec<String>), Histogram>);

impl Tally {
    pub(super) fn of(&mut self, meter: Meter, labels: &[&str]) -> &mut Histogram {
        self.0.entry((meter, labels.iter().map(|&label| label.to_owned()).collect())).or_default()
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (series, histogram) in &other.0 {
            self.0.entry(series.clone()).or_default().add(histogram);
        }
    }

    /// What was counted under these labels; nothing is zero.
    pub(in crate::monitor) fn get(&self, meter: Meter, labels: &[&str]) -> Histogram {
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        self.0.get(&(meter, labels)).cloned().unwrap_or_default()
    }

    pub(super) fn to_rows(&self) -> Vec<Metered> {
        let row = |((meter, labels), histogram): (&(Meter, Vec<String>), &Histogram)| Metered {
            name: meter.as_str().to_owned(),
            labels: labels.clone(),
            buckets: histogram.buckets.map(u64::cast_signed).to_vec(),
            count: histogram.count.cast_signed(),
            sum_s: histogram.sum_s,
        };
        self.0.iter().map(row).collect()
    }

    /// Of the rows, those that this version of the program knows.
    pub(super) fn from_rows(rows: Vec<Metered>) -> Self {
        let series = |row: Metered| {
            let meter = Meter::ALL.into_iter().find(|meter| meter.as_str() == row.name)?;
            let mut histogram =
                Histogram { count: row.count.cast_unsigned(), sum_s: row.sum_s, ..Histogram::default() };
            histogram.buckets.iter_mut().zip(row.buckets).for_each(|(n, kept)| *n = kept.cast_unsigned());
            Some(((meter, row.labels), histogram))
        };
        Self(rows.into_iter().filter_map(series).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_adds_up() {
        let mut histogram = Histogram::default();
        for ms in [1, 5, 6, 70_000, 90_000_000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let up_to: Vec<_> = histogram.up_to().collect();
        assert_eq!((up_to[0], up_to[1]), ((0.005, 2), (0.025, 3)));
        assert_eq!((up_to[7], up_to[8], up_to[11]), ((60.0, 3), (300.0, 4), (14_400.0, 4)));
        assert_eq!(histogram.count, 5);
    }

    #[test]
    fn what_is_kept_is_what_was_counted() {
        let mut tally = Tally::default();
        for meter in Meter::ALL {
            tally.of(meter, &["production"]).observe(Duration::from_millis(30));
        }
        tally.of(Meter::Retries, &["development"]).increment();
        let mut rows = tally.to_rows();
        let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
        assert!(names.is_sorted(), "as the master database sorts them: {names:?}");
        rows.push(Metered { name: "of_a_later_version".to_owned(), ..rows[0].clone() });
        assert_eq!(Tally::from_rows(rows), tally);
        let mut twice = tally.clone();
        twice.add(&tally);
        assert_eq!(twice.get(Meter::Runs, &["production"]).up_to().nth(2), Some((0.1, 2)));
        assert_eq!(twice.get(Meter::Retries, &["development"]).count, 2);
        assert_eq!(twice.get(Meter::Yields, &["development"]), Histogram::default());
    }
}
