//! A step as the messages that carry it.
//!
//! They are one transaction and are sent at once: the first begins with `BEGIN`, the last holds the history row and
//! `COMMIT`. Where one of them fails the server refuses all behind it, and the last one at its first statement, so that
//! its `COMMIT` is never reached.

use std::fmt::Write as _;
use std::ops::Range;

use postgres_link::{BatchError, BatchOutcome};
use uuid::Uuid;

use super::pieces::{Cut, pieces};
use super::steps::{LEAVE, Step};
use crate::audit;
use crate::target::confine::sent_through_door;

/// Which part of a step's SQL an envelope carries.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Whole,
    Statement(usize),
}

/// The messages of a step, with what is needed to read places out of their errors.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub messages: Vec<Message>,
    pub part: Part,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Message {
    pub sql: String,
    /// Which of the step's statements it holds; none in one that only ends the transaction.
    pub statements: Range<usize>,
    /// How many of the engine's own come before them.
    ahead: usize,
    /// Where in the message each stretch of the step's SQL begins.
    stretches: Vec<Stretch>,
}

/// What the engine puts around a step's SQL.
struct Around<'a> {
    begin: &'a str,
    /// Follows the SQL where it may run code of its author.
    after_code: &'a str,
    closing: &'a str,
}

/// A piece of the SQL in a message: as it stands in the file, or wrapped in a call.
#[derive(Debug)]
struct Stretch {
    in_message: usize,
    in_sql: usize,
    verbatim: bool,
}

/// The engine's own statements before the first of a step: BEGIN, the lock timeout, the search path, the role.
pub(crate) const PRELUDE: usize = 4;

impl Envelope {
    /// The messages as they are sent.
    pub(crate) fn sql(&self) -> Vec<&str> {
        self.messages.iter().map(|message| message.sql.as_str()).collect()
    }

    /// The byte of the step's SQL that the server means.
    pub(crate) fn byte(&self, error: &BatchError) -> Option<usize> {
        self.messages.get(error.message)?.byte(error.sql_error()?.position?)
    }

    /// The index of the statement that failed, as far as the answers before it tell.
    pub(crate) fn statement(&self, error: &BatchError) -> Option<usize> {
        let message = self.messages.get(error.message)?;
        let index = message.statements.start + error.completed().checked_sub(message.ahead)?;
        // A file whose statements are not known is one message of any number of them.
        (index < message.statements.end).then_some(index)
    }
}

impl Message {
    fn new(sql: String, statements: Range<usize>, ahead: usize) -> Self {
        Self { sql, statements, ahead, stretches: Vec::new() }
    }

    /// The byte of the step's SQL that the server means by the character `position` of the message, counted from 1.
    fn byte(&self, position: u32) -> Option<usize> {
        let at = self.sql.char_indices().nth((position as usize).checked_sub(1)?)?.0;
        let stretch = self.stretches.iter().rev().find(|stretch| stretch.in_message <= at)?;
        let within = if stretch.verbatim { at - stretch.in_message } else { 0 };
        Some(stretch.in_sql + within)
    }

    /// Appends `range` of the step's SQL, with what may run code passed through the door.
    fn push(&mut self, step: &Step, range: Range<usize>, mark: &str) {
        let sql = &step.text.sql;
        let mut at = range.start;
        for cut in step.text.cuts[self.statements.clone()].iter().filter(|cut| cut.runs_code) {
            self.stretches.push(Stretch { in_message: self.sql.len(), in_sql: at, verbatim: true });
            self.sql.push_str(&sql[at..cut.range.start]);
            self.stretches.push(Stretch { in_message: self.sql.len(), in_sql: cut.range.start, verbatim: false });
            self.sql.push_str(&sent_through_door(&step.owner, &sql[cut.range.clone()], mark));
            at = cut.range.end;
        }
        self.stretches.push(Stretch { in_message: self.sql.len(), in_sql: at, verbatim: true });
        self.sql.push_str(&sql[at..range.end]);
    }

    /// The rows that its statements wrote, as far as their answers tell.
    pub(crate) fn rows(&self, step: &Step, outcome: &BatchOutcome) -> u64 {
        let own = outcome.statements.iter().skip(self.ahead).zip(&step.text.cuts[self.statements.clone()]);
        own.map(|(outcome, cut): (_, &Cut)| {
            // The door answers how many.
            let answer = || outcome.rows.first()?.first()?.as_deref()?.parse().ok();
            if cut.runs_code { answer().unwrap_or(0) } else { outcome.rows_affected }
        })
        .sum()
    }
}

impl Step {
    /// The part as one transaction of the run: role, SQL, history, commit.
    pub(crate) fn envelope(&self, part: Part, lock_timeout_ms: u64, run_id: Uuid, closing: &str) -> Envelope {
        let around =
            Around { begin: "BEGIN", after_code: &self.bring_forward(), closing: &format!("{closing};COMMIT") };
        self.wrap(part, lock_timeout_ms, run_id, &around)
    }

    /// The step inside a transaction that somebody else rolls back.
    pub(crate) fn inside(&self, lock_timeout_ms: u64, run_id: Uuid) -> Envelope {
        let around = Around { begin: "SAVEPOINT step", after_code: "", closing: "SELECT 1" };
        self.wrap(Part::Whole, lock_timeout_ms, run_id, &around)
    }

    fn wrap(&self, part: Part, lock_timeout_ms: u64, run_id: Uuid, around: &Around<'_>) -> Envelope {
        let (sql, cuts, mark) = (&self.text.sql, &self.text.cuts, audit::mark_of(run_id));
        let Around { begin, after_code, closing } = *around;
        let (pieces, bytes) = match part {
            Part::Whole => (pieces(cuts.len()), 0..sql.len()),
            #[expect(clippy::single_range_in_vec_init, reason = "one piece, of one statement")]
            Part::Statement(index) => (vec![index..index + 1], cuts[index].range.clone()),
        };
        let mut messages = Vec::with_capacity(pieces.len() + 1);
        for (n, piece) in pieces.iter().enumerate() {
            let from = if n == 0 { bytes.start } else { cuts[piece.start].range.start };
            let to = pieces.get(n + 1).map_or(bytes.end, |next| cuts[next.start].range.start);
            let mut message = if n == 0 {
                Message::new(self.opening(begin, lock_timeout_ms), piece.clone(), PRELUDE)
            } else {
                Message::new(String::with_capacity(to - from), piece.clone(), 0)
            };
            message.push(self, from..to, &mark);
            messages.push(message);
        }
        let runs_code = pieces.iter().any(|piece| cuts[piece.clone()].iter().any(|cut| cut.runs_code));
        let mut end = String::new();
        if runs_code && !after_code.is_empty() {
            end.push_str(after_code);
            end.push(';');
        }
        end.push_str(LEAVE);
        if matches!(part, Part::Whole) && !self.reset().is_empty() {
            // The lock timeout holds for the closing statements too.
            let _ = write!(end, "{}SET LOCAL lock_timeout={lock_timeout_ms};", self.reset());
        }
        end.push_str(closing);
        match part {
            // What is waited for then is the commit, and not a statement.
            Part::Whole => messages.push(Message::new(end, cuts.len()..cuts.len(), 0)),
            // The line break ends a comment that the SQL may end with.
            Part::Statement(_) => {
                let _ = write!(messages[0].sql, "\n;{end}");
            }
        }
        Envelope { messages, part }
    }
}
