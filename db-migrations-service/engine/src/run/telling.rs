//! Telling of a step's statements as the server goes through them.

use std::time::Duration;

use postgres_link::BatchOutcome;
use tokio::time::Instant;

use super::envelope::{Envelope, Message};
use super::pieces::{first_line, kind};
use super::steps::Step;
use crate::event::{Event, EventSink, LASTING};

/// So often a file of many short statements shows where it is.
const SIGN_OF_LIFE: Duration = Duration::from_millis(250);

/// Where an attempt is in its step.
pub(super) struct Telling<'a> {
    step: &'a Step,
    envelope: &'a Envelope,
    events: &'a EventSink,
    /// The message that the server works on.
    at: usize,
    begun: Instant,
    /// The running statement was told to be lasting.
    told: bool,
    last_told: Instant,
    /// The line of a byte, which those that come later are counted from.
    line: (usize, usize),
}

impl<'a> Telling<'a> {
    /// Begins with the first statement.
    pub(super) fn begin(step: &'a Step, envelope: &'a Envelope, events: &'a EventSink) -> Self {
        let now = Instant::now();
        let mut this = Self { step, envelope, events, at: 0, begun: now, told: false, last_told: now, line: (1, 0) };
        this.started(false);
        this
    }

    /// The statement that runs, counted from 1; `None` while the transaction ends.
    pub(super) fn statement(&self) -> Option<usize> {
        self.message().map(|message| message.statements.start + 1)
    }

    /// When [`lasts`](Self::lasts) has to be called, unless the statement is done before.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.told && self.message().is_some()).then(|| self.begun + LASTING)
    }

    /// The statement has run for long enough to be told of.
    pub(super) fn lasts(&mut self) {
        self.told = true;
        self.last_told = Instant::now();
        self.started(true);
    }

    /// The server has answered a message; it goes on with the next one.
    pub(super) fn done(&mut self, outcome: &BatchOutcome) {
        let now = Instant::now();
        if let Some(message) = self.message() {
            let (statement, through) = (message.statements.start + 1, message.statements.end);
            self.events.send(Event::StatementFinished {
                migration: self.step.id.clone(),
                statement,
                through,
                of: self.step.text.cuts.len(),
                line: self.line.0,
                tag: kind(self.step.text.statement(statement - 1)),
                rows: message.rows(self.step, outcome),
                resumed: false,
                duration_ms: (now - self.begun).as_secs_f64() * 1_000.0,
                lasted: self.told,
            });
        }
        (self.at, self.begun, self.told) = (self.at + 1, now, false);
        self.started(false);
        if now - self.last_told >= SIGN_OF_LIFE && self.message().is_some() {
            self.lasts();
        }
    }

    /// The message that the server works on, where it holds statements of the step.
    fn message(&self) -> Option<&'a Message> {
        self.envelope.messages.get(self.at).filter(|message| !message.statements.is_empty())
    }

    fn started(&mut self, lasts: bool) {
        let Some(message) = self.message() else { return };
        let (from, text) = (&self.step.text.cuts[message.statements.start].range, &self.step.text);
        let breaks = text.sql[self.line.1..from.start].matches('\n').count();
        self.line = (self.line.0 + breaks, from.start);
        let statement = text.statement(message.statements.start);
        self.events.send(Event::StatementStarted {
            migration: self.step.id.clone(),
            statement: message.statements.start + 1,
            through: message.statements.end,
            of: text.cuts.len(),
            line: self.line.0,
            tag: kind(statement),
            text: first_line(statement),
            lasts,
        });
    }
}
