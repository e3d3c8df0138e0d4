//! What happens in this process, counted as it happens.
//!
//! A run calls in here from its own task, so each call takes a lock for the time of an addition and returns.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use migration_engine::{EngineError, Event, MigrationId};
use time::OffsetDateTime;

use crate::operations::{BackupAction, JobStatus, RunRecord};

/// Upper ends of the histograms' buckets, seconds: from a small statement to an index on a large table.
pub(super) const BOUNDS_S: [f64; 12] = [0.005, 0.025, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0];

/// The class of an error that PostgreSQL did not raise.
const NO_CLASS: &str = "none";

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    /// Whole runs, by environment, kind and outcome.
    pub(super) runs: ByLabels<3, Histogram>,
    /// Migrations applied or taken back, by environment.
    pub(super) migrations: ByLabels<1, Histogram>,
    /// Statements of migrations, those of attempts that were taken back too, by environment.
    pub(super) statements: ByLabels<1, Histogram>,
    /// Waits for a lock that are over, by environment.
    pub(super) lock_waits: ByLabels<1, Histogram>,
    /// For how long the run under way has waited for a lock, seconds, by environment.
    pub(super) waiting_s: ByLabels<1, f64>,
    /// Attempts taken back since a lock was not had in time, by environment.
    pub(super) retries: ByLabels<1, u64>,
    /// Attempts taken back to let others pass, by environment.
    pub(super) yields: ByLabels<1, u64>,
    /// Runs that failed, by environment and the class of the SQLSTATE.
    pub(super) failures: ByLabels<2, u64>,
    /// Work on backups, by action and outcome.
    pub(super) backups: ByLabels<2, Histogram>,
}

impl Meters {
    /// A run is over.
    pub(crate) fn run_ended(&self, run: &RunRecord, error: Option<&EngineError>) {
        let environment = run.environment.as_str();
        let took = run.finished_at.map_or(Duration::ZERO, |end| positive(end - run.started_at));
        self.runs.with([environment, run.kind.as_str(), run.state.as_str()], |runs| runs.observe(took));
        // Also of one that broke down in the middle of a wait.
        self.waiting_s.with([environment], |s| *s = 0.0);
        if let Some(error) = error {
            let class = error.sql.as_ref().map_or(NO_CLASS, |sql| sql.sqlstate_class());
            self.failures.with([environment, class], |n| *n += 1);
        }
    }

    /// Work on a backup is over.
    pub(crate) fn backup_ended(&self, action: BackupAction, status: JobStatus, since: OffsetDateTime) {
        let action = match action {
            BackupAction::Create => "create",
            BackupAction::Verify => "verify",
            BackupAction::Restore => "restore",
        };
        let outcome = match status {
            JobStatus::Running => return,
            JobStatus::Completed => "completed",
            JobStatus::Failed => "failed",
            JobStatus::Cancelled => "cancelled",
        };
        let took = positive(OffsetDateTime::now_utc() - since);
        self.backups.with([action, outcome], |backups| backups.observe(took));
    }
}

/// Counts what happens in one run. Clones count the same run.
#[derive(Debug, Clone)]
pub(crate) struct RunMeter {
    meters: Arc<Meters>,
    environment: Arc<str>,
    waiting: Arc<Mutex<Option<Wait>>>,
}

/// A wait for a lock that goes on.
#[derive(Debug)]
struct Wait {
    migration: MigrationId,
    statement: Option<usize>,
    waited_ms: u64,
}

impl RunMeter {
    pub(super) fn new(meters: Arc<Meters>, environment: &str) -> Self {
        Self { meters, environment: environment.into(), waiting: Arc::default() }
    }

    /// Takes note of what has happened.
    pub(crate) fn see(&self, event: &Event) {
        let at = [&*self.environment];
        if let Event::Waiting { migration, statement, waited_ms, .. } = event {
            self.waits(Wait { migration: migration.clone(), statement: *statement, waited_ms: *waited_ms });
            return;
        }
        self.waits_no_more();
        match event {
            Event::StatementFinished { resumed: false, statement, through, duration_ms, .. } => {
                // Of those that went together only the whole was seen.
                let together = through.saturating_sub(*statement) as u32 + 1;
                let each = Duration::try_from_secs_f64(duration_ms / 1_000.0).unwrap_or_default() / together;
                self.meters.statements.with(at, |statements| (0..together).for_each(|_| statements.observe(each)));
            }
            Event::MigrationFinished { duration_ms, .. } => {
                self.meters.migrations.with(at, |migrations| migrations.observe(Duration::from_millis(*duration_ms)));
            }
            Event::Retrying { .. } => self.meters.retries.with(at, |n| *n += 1),
            Event::Yielded { .. } => self.meters.yields.with(at, |n| *n += 1),
            _ => {}
        }
    }

    /// The same wait is told of again and again, longer each time.
    fn waits(&self, wait: Wait) {
        let waited_ms = wait.waited_ms;
        let mut waiting = locked(&self.waiting);
        let is_another = |before: &Wait| {
            (&before.migration, before.statement) != (&wait.migration, wait.statement) || before.waited_ms > waited_ms
        };
        if waiting.as_ref().is_some_and(is_another) {
            self.over(waiting.take());
        }
        *waiting = Some(wait);
        self.meters.waiting_s.with([&*self.environment], |s| *s = Duration::from_millis(waited_ms).as_secs_f64());
    }

    fn waits_no_more(&self) {
        let wait = locked(&self.waiting).take();
        self.over(wait);
    }

    fn over(&self, wait: Option<Wait>) {
        let Some(wait) = wait else { return };
        let at = [&*self.environment];
        self.meters.lock_waits.with(at, |waits| waits.observe(Duration::from_millis(wait.waited_ms)));
        self.meters.waiting_s.with(at, |s| *s = 0.0);
    }
}

/// One value for each set of labels' values.
#[derive(Debug)]
pub(super) struct ByLabels<const N: usize, T>(Mutex<BTreeMap<[String; N], T>>);

impl<const N: usize, T> Default for ByLabels<N, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<const N: usize, T: Default> ByLabels<N, T> {
    fn with(&self, labels: [&str; N], change: impl FnOnce(&mut T)) {
        change(locked(&self.0).entry(labels.map(str::to_owned)).or_default());
    }

    /// Shows every value with its labels' values, in order.
    pub(super) fn each(&self, mut show: impl FnMut([&str; N], &T)) {
        for (labels, value) in &*locked(&self.0) {
            show(std::array::from_fn(|n| labels[n].as_str()), value);
        }
    }
}

/// How often which durations came.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Histogram {
    /// By the first of [`BOUNDS_S`] that is not less; what is longer than all of them is only in `count`.
    buckets: [u64; BOUNDS_S.len()],
    pub(super) count: u64,
    pub(super) sum_s: f64,
}

impl Histogram {
    fn observe(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        if let Some(bucket) = BOUNDS_S.iter().position(|bound| seconds <= *bound) {
            self.buckets[bucket] += 1;
        }
        self.count += 1;
        self.sum_s += seconds;
    }

    /// Each bound, with how many were not more.
    pub(super) fn up_to(&self) -> impl Iterator<Item = (f64, u64)> {
        BOUNDS_S.iter().zip(&self.buckets).scan(0, |sum, (bound, n)| {
            *sum += n;
            Some((*bound, *sum))
        })
    }
}

/// A clock that was set back makes no time negative.
fn positive(time: time::Duration) -> Duration {
    time.try_into().unwrap_or_default()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter() -> RunMeter {
        RunMeter::new(Arc::default(), "production")
    }

    fn waiting(waited_ms: u64) -> Event {
        let migration = "plans/20260101000000".parse().expect("a migration");
        Event::Waiting { migration, statement: Some(1), waited_ms, blockers: Vec::new() }
    }

    fn waits(meter: &RunMeter) -> Vec<(u64, f64)> {
        let mut seen = Vec::new();
        meter.meters.lock_waits.each(|_, histogram| seen.push((histogram.count, histogram.sum_s)));
        seen
    }

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
    fn a_wait_is_one_however_often_it_is_told_of() {
        let meter = meter();
        for ms in [250, 500, 750] {
            meter.see(&waiting(ms));
        }
        assert!(waits(&meter).is_empty(), "it goes on");
        meter.meters.waiting_s.each(|labels, s| assert_eq!((labels, *s), (["production"], 0.75)));
        // The next attempt waits anew.
        meter.see(&waiting(250));
        assert_eq!(waits(&meter), [(1, 0.75)]);
        meter.waits_no_more();
        meter.waits_no_more();
        assert_eq!(waits(&meter), [(2, 1.0)]);
        meter.meters.waiting_s.each(|_, s| assert!(s.abs() < f64::EPSILON));
    }

    fn finished(through: usize, resumed: bool, duration_ms: f64) -> Event {
        Event::StatementFinished {
            migration: "plans/20260101000000".parse().expect("a migration"),
            statement: 1,
            through,
            of: 4,
            line: 1,
            tag: "CREATE INDEX".to_owned(),
            rows: 0,
            resumed,
            duration_ms,
            lasted: true,
        }
    }

    #[test]
    fn what_was_resumed_was_not_run_again_and_what_went_together_is_shared_out() {
        let meter = meter();
        meter.see(&finished(1, true, 2_000.0));
        meter.see(&finished(1, false, 2_000.0));
        meter.see(&finished(4, false, 0.4));
        let mut seen = Vec::new();
        meter.meters.statements.each(|_, histogram| seen.push((histogram.count, histogram.up_to().next())));
        assert_eq!(seen, [(5, Some((0.005, 4)))]);
    }
}
