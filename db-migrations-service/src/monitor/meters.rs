//! What is counted as it happens: of runs, their statements and their locks, and of work on backups.
//!
//! A counter belongs to everybody who counts: the copies of the service, and each call of the command line, which nobody could
//! scrape. So it stands in the master database, where all add to it, and every copy shows the same. Nobody shows what is not
//! written down yet: a process that dies with it would make the counter fall, which Prometheus takes for a new beginning and
//! counts all of it again ([ADR 20](../../../docs/adr/0020-counted-by-all.md)).
//!
//! A run calls in here from its own task, so each call takes a lock for the time of an addition and returns.

mod tally;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use migration_engine::{EngineError, Event, MigrationId};

use crate::master::{Master, MasterError};
use crate::operations::{BackupAction, JobStatus, RunRecord};
pub(super) use tally::{Meter, Tally};

/// The class of an error that PostgreSQL did not raise.
const NO_CLASS: &str = "none";
/// The class of an error that somebody's function raised under a code of its own.
const OTHER_CLASS: &str = "other";
/// All classes that failures are told apart by: those of errors in PostgreSQL's `src/backend/utils/errcodes.txt`.
pub(super) const CLASSES: [&str; 43] = [
    "03",
    "08",
    "09",
    "0A",
    "0B",
    "0F",
    "0L",
    "0P",
    "0Z",
    "10",
    "20",
    "21",
    "22",
    "23",
    "24",
    "25",
    "26",
    "27",
    "28",
    "2B",
    "2D",
    "2F",
    "34",
    "38",
    "39",
    "3B",
    "3D",
    "3F",
    "40",
    "42",
    "44",
    "53",
    "54",
    "55",
    "57",
    "58",
    "72",
    "F0",
    "HV",
    "P0",
    "XX",
    NO_CLASS,
    OTHER_CLASS,
];

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    /// Here, and not yet written down.
    counted: Mutex<Tally>,
    /// By all, as the master database had it last; `None` before it was read.
    by_all: Mutex<Option<Arc<Tally>>>,
    /// One at a time writes and reads, so that what is shown never falls.
    settling: tokio::sync::Mutex<()>,
    /// For how long the run of this process on an environment has waited for a lock, seconds.
    waiting_s: Mutex<BTreeMap<String, f64>>,
}

impl Meters {
    /// A run is over.
    pub(crate) fn run_ended(&self, run: &RunRecord, error: Option<&EngineError>) {
        let environment = run.environment.as_str();
        let took = run.finished_at.map_or(Duration::ZERO, |end| positive(end - run.started_at));
        let mut counted = locked(&self.counted);
        counted.of(Meter::Runs, &[environment, run.kind.as_str(), run.state.as_str()]).observe(took);
        if let Some(error) = error {
            let class = error.sql.as_ref().map_or(NO_CLASS, |sql| known_class(sql.sqlstate_class()));
            counted.of(Meter::Failures, &[environment, class]).increment();
        }
        drop(counted);
        // Also of one that broke down in the middle of a wait.
        self.waits_for(environment, Duration::ZERO);
    }

    /// Work on a backup is over.
    pub(crate) fn backup_ended(&self, action: BackupAction, status: JobStatus, took: Duration) {
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
        locked(&self.counted).of(Meter::Backups, &[action, outcome]).observe(took);
    }

    /// Writes down what was counted here, and reads what all have counted.
    ///
    /// # Errors
    /// A master database that is away; what was counted is written down the next time.
    pub(crate) async fn settle(&self, master: &Master) -> Result<(), MasterError> {
        let _turn = self.settling.lock().await;
        let counted = std::mem::take(&mut *locked(&self.counted));
        match master.add_meters(&counted.to_rows()).await {
            Ok(rows) => {
                *locked(&self.by_all) = Some(Arc::new(Tally::from_rows(rows)));
                Ok(())
            }
            Err(error) => {
                locked(&self.counted).add(&counted);
                Err(error)
            }
        }
    }

    /// What all have counted; `None` where it was never read.
    pub(super) fn by_all(&self) -> Option<Arc<Tally>> {
        locked(&self.by_all).clone()
    }

    /// For how long the run under way on an environment has waited for a lock, seconds.
    pub(super) fn waiting_s(&self, environment: &str) -> f64 {
        locked(&self.waiting_s).get(environment).copied().unwrap_or_default()
    }

    fn waits_for(&self, environment: &str, time: Duration) {
        locked(&self.waiting_s).insert(environment.to_owned(), time.as_secs_f64());
    }
}

fn known_class(class: &str) -> &'static str {
    CLASSES.into_iter().find(|known| *known == class).unwrap_or(OTHER_CLASS)
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
        let at = &[&*self.environment];
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
                let mut counted = locked(&self.meters.counted);
                let statements = counted.of(Meter::Statements, at);
                (0..together).for_each(|_| statements.observe(each));
            }
            Event::MigrationFinished { duration_ms, .. } => {
                let took = Duration::from_millis(*duration_ms);
                locked(&self.meters.counted).of(Meter::Migrations, at).observe(took);
            }
            Event::Retrying { .. } => locked(&self.meters.counted).of(Meter::Retries, at).increment(),
            Event::Yielded { .. } => locked(&self.meters.counted).of(Meter::Yields, at).increment(),
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
        self.meters.waits_for(&self.environment, Duration::from_millis(waited_ms));
    }

    fn waits_no_more(&self) {
        let wait = locked(&self.waiting).take();
        self.over(wait);
    }

    fn over(&self, wait: Option<Wait>) {
        let Some(wait) = wait else { return };
        let waited = Duration::from_millis(wait.waited_ms);
        locked(&self.meters.counted).of(Meter::LockWaits, &[&*self.environment]).observe(waited);
        self.meters.waits_for(&self.environment, Duration::ZERO);
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
    use super::tally::Histogram;
    use super::*;

    fn meter() -> RunMeter {
        RunMeter::new(Arc::default(), "production")
    }

    fn waiting(waited_ms: u64) -> Event {
        let migration = "plans/20260101000000".parse().expect("a migration");
        Event::Waiting { migration, statement: Some(1), waited_ms, blockers: Vec::new() }
    }

    fn counted(meter: &RunMeter, what: Meter) -> Histogram {
        locked(&meter.meters.counted).get(what, &["production"])
    }

    fn waits(meter: &RunMeter) -> (u64, f64) {
        let waits = counted(meter, Meter::LockWaits);
        (waits.count, waits.sum_s)
    }

    #[test]
    fn a_wait_is_one_however_often_it_is_told_of() {
        let meter = meter();
        for ms in [250, 500, 750] {
            meter.see(&waiting(ms));
        }
        assert_eq!(waits(&meter), (0, 0.0), "it goes on");
        assert!((meter.meters.waiting_s("production") - 0.75).abs() < f64::EPSILON);
        // The next attempt waits anew.
        meter.see(&waiting(250));
        assert_eq!(waits(&meter), (1, 0.75));
        meter.waits_no_more();
        meter.waits_no_more();
        assert_eq!(waits(&meter), (2, 1.0));
        assert!(meter.meters.waiting_s("production").abs() < f64::EPSILON);
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
        let statements = counted(&meter, Meter::Statements);
        assert_eq!((statements.count, statements.up_to().next()), (5, Some((0.005, 4))));
    }
}
