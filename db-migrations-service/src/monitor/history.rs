//! What the sampler has seen of each target over a day, in an amount of memory that does not grow.
//!
//! A target has two rings: the last hour by the minute, and the last day by the quarter of an hour. A place in a ring takes 20
//! bytes and a target has 156 of them, so that 300 targets stay below one megabyte, however often the sampler looks. It is this
//! process's own memory: it begins anew with the process, and each copy of the service has its own. Whoever wants more keeps what
//! `/metrics` says in Prometheus.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

/// The states of sessions that are told apart; any other counts as none of them.
pub(crate) const SESSION_STATES: [&str; 4] = ["active", "idle", "idle in transaction", "idle in transaction (aborted)"];

/// How far back, and how closely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// The last hour by the minute.
    Hour,
    /// The last day by the quarter of an hour.
    Day,
}

impl Span {
    /// How long a step is.
    pub(crate) fn step(self) -> Duration {
        match self {
            Self::Hour => Duration::from_mins(1),
            Self::Day => Duration::from_mins(15),
        }
    }

    const fn steps(self) -> usize {
        match self {
            Self::Hour => 60,
            Self::Day => 96,
        }
    }
}

/// What a look has read, as far as it is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) size_bytes: i64,
    pub(super) sessions: [i64; SESSION_STATES.len()],
    /// Transactions since the server's counters began.
    pub(super) commits: f64,
    /// Milliseconds that statements took since the counters began; `None` where nobody measures them.
    pub(super) statement_ms: Option<f64>,
}

/// A step: the newest size, the most sessions of each state, and rates as they were on the whole. What is not known is NaN.
#[derive(Debug, Clone, Copy)]
struct Cell {
    size_bytes: f32,
    commits: f32,
    statement_ms: f32,
    sessions: [u16; SESSION_STATES.len()],
}

impl Cell {
    const EMPTY: Self =
        Self { size_bytes: f32::NAN, commits: f32::NAN, statement_ms: f32::NAN, sessions: [0; SESSION_STATES.len()] };
}

/// A step as it is read; `None` where nothing was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seen {
    /// The database's size at its end, bytes; exact to seven digits.
    pub(crate) size_bytes: f64,
    /// The most sessions at one look, for each of [`SESSION_STATES`].
    pub(crate) sessions: [u16; SESSION_STATES.len()],
    /// Transactions per second.
    pub(crate) commits: Option<f64>,
    /// Milliseconds that statements took, per second.
    pub(crate) statement_ms: Option<f64>,
}

/// What is kept of a target, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Past {
    /// When the first step begins.
    pub(crate) from: OffsetDateTime,
    /// Step by step up to now; `None` where nothing was seen.
    pub(crate) steps: Vec<Option<Seen>>,
}

/// A rate over several looks.
#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    grown: f64,
    seconds: f64,
}

impl Rate {
    /// Nothing where the counter began anew.
    fn add(&mut self, before: Option<f64>, after: Option<f64>, seconds: f64) {
        if let (Some(before), Some(after)) = (before, after)
            && after >= before
        {
            self.grown += after - before;
            self.seconds += seconds;
        }
    }

    fn per_second(self) -> f32 {
        if self.seconds > 0.0 { (self.grown / self.seconds) as f32 } else { f32::NAN }
    }
}

/// The step that is not over yet.
#[derive(Debug, Clone, Copy)]
struct Open {
    number: i64,
    size_bytes: i64,
    sessions: [u16; SESSION_STATES.len()],
    commits: Rate,
    statement_ms: Rate,
}

impl Open {
    fn cell(&self) -> Cell {
        Cell {
            size_bytes: self.size_bytes as f32,
            commits: self.commits.per_second(),
            statement_ms: self.statement_ms.per_second(),
            sessions: self.sessions,
        }
    }
}

/// The last steps of one span. The place of a step is its number, counted from 1970, in the ring.
#[derive(Debug)]
struct Ring {
    span: Span,
    cells: Box<[Cell]>,
    open: Option<Open>,
}

impl Ring {
    fn new(span: Span) -> Self {
        Self { span, cells: vec![Cell::EMPTY; span.steps()].into(), open: None }
    }

    fn number(&self, at: OffsetDateTime) -> i64 {
        at.unix_timestamp().div_euclid(self.span.step().as_secs() as i64)
    }

    fn place(&mut self, number: i64) -> &mut Cell {
        let place = number.rem_euclid(self.cells.len() as i64) as usize;
        &mut self.cells[place]
    }

    /// The step that `at` is in, with those before it put away.
    fn open(&mut self, at: OffsetDateTime) -> &mut Open {
        let mut number = self.number(at);
        if let Some(open) = self.open {
            if number + 1 < open.number {
                // The clock was set back: what is later than now has never been.
                self.cells.fill(Cell::EMPTY);
            } else {
                number = number.max(open.number);
            }
            if number > open.number {
                *self.place(open.number) = open.cell();
                let gone = (number - open.number - 1).min(self.cells.len() as i64);
                for unseen in number - gone..number {
                    *self.place(unseen) = Cell::EMPTY;
                }
            }
        }
        let fresh = || Open {
            number,
            size_bytes: 0,
            sessions: [0; SESSION_STATES.len()],
            commits: Rate::default(),
            statement_ms: Rate::default(),
        };
        match &mut self.open {
            Some(open) if open.number == number => {}
            open => *open = Some(fresh()),
        }
        self.open.get_or_insert_with(fresh)
    }

    /// The steps up to `now`, from the first of which anything is known.
    fn past(&self, now: OffsetDateTime) -> Option<Past> {
        let open = self.open?;
        let last = self.number(now).max(open.number);
        let most = self.cells.len() as i64;
        let at = |number: i64| {
            if number == open.number {
                return Some(open.cell());
            }
            let kept = number < open.number && number > open.number - most;
            kept.then(|| self.cells[number.rem_euclid(most) as usize])
        };
        let seen = |number: i64| at(number).and_then(|cell| Seen::of(&cell));
        let first = (last - most + 1..=last).find(|number| seen(*number).is_some())?;
        let from = OffsetDateTime::from_unix_timestamp(first * self.span.step().as_secs() as i64).ok()?;
        Some(Past { from, steps: (first..=last).map(seen).collect() })
    }
}

impl Seen {
    fn of(cell: &Cell) -> Option<Self> {
        let known = |value: f32| (!value.is_nan()).then_some(f64::from(value));
        Some(Self {
            size_bytes: known(cell.size_bytes)?,
            sessions: cell.sessions,
            commits: known(cell.commits),
            statement_ms: known(cell.statement_ms),
        })
    }
}

/// One target's.
#[derive(Debug)]
struct History {
    last: Option<(OffsetDateTime, Reading)>,
    rings: [Ring; 2],
}

impl History {
    fn new() -> Self {
        Self { last: None, rings: [Ring::new(Span::Hour), Ring::new(Span::Day)] }
    }

    fn record(&mut self, at: OffsetDateTime, reading: Reading) {
        let before = self.last.replace((at, reading));
        let seconds = before.map_or(0.0, |(then, _)| (at - then).as_seconds_f64());
        let before = before.map(|(_, reading)| reading).filter(|_| seconds > 0.0);
        for ring in &mut self.rings {
            let open = ring.open(at);
            open.size_bytes = reading.size_bytes;
            for (most, now) in open.sessions.iter_mut().zip(reading.sessions) {
                *most = (*most).max(u16::try_from(now.max(0)).unwrap_or(u16::MAX));
            }
            open.commits.add(before.map(|before| before.commits), Some(reading.commits), seconds);
            open.statement_ms.add(before.and_then(|before| before.statement_ms), reading.statement_ms, seconds);
        }
    }
}

/// All targets', by environment.
#[derive(Debug, Default)]
pub(crate) struct Histories(Mutex<BTreeMap<String, History>>);

impl Histories {
    pub(super) fn record(&self, environment: &str, at: OffsetDateTime, reading: Reading) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(environment) {
            Some(history) => history.record(at, reading),
            None => all.entry(environment.to_owned()).or_insert_with(History::new).record(at, reading),
        }
    }

    /// What is kept of an environment; `None` before the first look, and where all of it is too old.
    pub(crate) fn past(&self, environment: &str, span: Span, now: OffsetDateTime) -> Option<Past> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(environment)?.rings.iter().find(|ring| ring.span == span)?.past(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> OffsetDateTime {
        // The beginning of an hour.
        OffsetDateTime::from_unix_timestamp(1_795_413_600 + seconds).expect("a time")
    }

    fn reading(size_bytes: i64, active: i64, commits: f64) -> Reading {
        Reading { size_bytes, sessions: [active, 1, 0, 0], commits, statement_ms: Some(commits * 2.0) }
    }

    fn past(history: &History, span: Span, now: OffsetDateTime) -> Past {
        history.rings.iter().find(|ring| ring.span == span).and_then(|ring| ring.past(now)).expect("something is kept")
    }

    #[test]
    fn three_hundred_targets_take_less_than_a_megabyte() {
        let cells = Span::Hour.steps() + Span::Day.steps();
        assert_eq!((size_of::<Cell>(), cells), (20, 156));
        assert!(300 * (cells * size_of::<Cell>() + size_of::<History>()) < 1024 * 1024);
    }

    #[test]
    fn a_step_has_the_last_size_the_most_sessions_and_the_mean_rate() {
        let mut history = History::new();
        for (seconds, size, active, commits) in [(0, 100, 1, 0.0), (15, 200, 7, 30.0), (30, 300, 2, 300.0)] {
            history.record(at(seconds), reading(size, active, commits));
        }
        let seen = past(&history, Span::Hour, at(30));
        assert_eq!(seen.from, at(0));
        let expected =
            Seen { size_bytes: 300.0, sessions: [7, 1, 0, 0], commits: Some(10.0), statement_ms: Some(20.0) };
        assert_eq!(seen.steps, [Some(expected)]);
        // The next minute's rate is of what happened since the last look of this one.
        history.record(at(60), reading(400, 0, 600.0));
        let seen = past(&history, Span::Hour, at(60));
        assert_eq!(seen.steps[0], Some(expected));
        assert_eq!(seen.steps[1].and_then(|step| step.commits), Some(10.0));
        assert_eq!(past(&history, Span::Day, at(60)).steps.len(), 1, "all of it is in one quarter of an hour");
    }

    #[test]
    fn a_gap_is_a_gap_and_a_counter_that_began_anew_is_no_rate() {
        let mut history = History::new();
        history.record(at(0), reading(1, 1, 50.0));
        history.record(at(180), reading(2, 1, 5.0));
        let steps = past(&history, Span::Hour, at(240)).steps;
        assert_eq!(steps.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false, true, false]);
        assert_eq!(steps[3].map(|step| (step.commits, step.statement_ms)), Some((None, None)));
    }

    #[test]
    fn what_is_older_than_the_span_goes() {
        let mut history = History::new();
        for minute in 0..200 {
            history.record(at(minute * 60), reading(minute, 1, 0.0));
        }
        let hour = past(&history, Span::Hour, at(199 * 60));
        assert_eq!((hour.from, hour.steps.len()), (at(140 * 60), 60));
        assert!(
            hour.steps
                .iter()
                .zip(140_u8..)
                .all(|(step, n)| step.is_some_and(|s| (s.size_bytes - f64::from(n)).abs() < 0.5))
        );
        assert_eq!(past(&history, Span::Day, at(199 * 60)).steps.len(), 14);
        // Nobody looked for a day: nothing of it is left, and the place of an old step is not a new one's.
        assert_eq!(history.rings[0].past(at(86_400)), None);
        history.record(at(86_400), reading(7, 1, 0.0));
        assert_eq!(past(&history, Span::Hour, at(86_400)).steps.len(), 1);
    }

    #[test]
    fn a_clock_that_is_set_back_begins_anew() {
        let mut history = History::new();
        history.record(at(7200), reading(1, 1, 0.0));
        history.record(at(0), reading(2, 1, 5.0));
        let seen = past(&history, Span::Hour, at(0));
        assert_eq!((seen.from, seen.steps.len()), (at(0), 1));
        assert_eq!(seen.steps[0].and_then(|step| step.commits), None);
        // A second back is the same minute or the one before, and loses nothing.
        history.record(at(60), reading(3, 1, 6.0));
        history.record(at(59), reading(4, 1, 6.0));
        assert_eq!(past(&history, Span::Hour, at(60)).steps.len(), 2);
    }
}
