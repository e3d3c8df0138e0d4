//! A run as spans: one for the run, one for each migration, one for each statement.
//!
//! They carry the run's id into every log line of it, and leave as traces where a collector is named. In a file of very
//! many statements those that go in one message share a span. What is tried again has its spans again.

use std::sync::{Mutex, PoisonError};

use migration_engine::Event;
use runtime::trace;
use tracing::{Span, error_span, field, info_span};
use uuid::Uuid;

use super::launch::Beginning;

/// The span of a run; a part of the request that asked for it. Shown with log lines of every level.
pub(super) fn run_span(id: Uuid) -> Span {
    error_span!(
        target: "profe",
        "run",
        run = %id,
        kind = field::Empty,
        environment = field::Empty,
        service = field::Empty,
    )
}

/// What is known of the run when it begins.
pub(super) fn describe(run: &Span, beginning: &Beginning) {
    run.record("kind", beginning.kind.as_str());
    run.record("environment", beginning.environment.as_str());
    if let Some(service) = &beginning.service {
        run.record("service", service.as_str());
    }
}

/// Opens and closes the spans below the run's, event by event.
#[derive(Debug)]
pub(super) struct RunTrace {
    run: Span,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    migration: Span,
    statement: Span,
    /// Its number.
    running: Option<usize>,
}

impl RunTrace {
    pub(super) fn new(run: Span) -> Self {
        Self { run, open: Mutex::new(Open { migration: Span::none(), statement: Span::none(), running: None }) }
    }

    /// Called from the run itself, so it only begins and ends spans.
    pub(super) fn see(&self, event: &Event) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::MigrationStarted { migration, service, name, statements, transactional, .. } => {
                open.migration = info_span!(
                target: "profe",
                parent: &self.run,
                "migration",
                %migration,
                service,
                name,
                statements,
                transactional,
                attempts = field::Empty,
                error = field::Empty,
                        );
            }
            // One that lasts is told again.
            Event::StatementStarted { statement, through, line, tag, .. } if open.running != Some(*statement) => {
                open.running = Some(*statement);
                open.statement = info_span!(
                    target: "profe",
                    parent: &open.migration,
                    "statement",
                    statement,
                    through,
                    line,
                    tag,
                    rows = field::Empty,
                );
            }
            Event::StatementFinished { rows, .. } => {
                open.statement.record("rows", rows);
                open.close_statement();
            }
            Event::Retrying { attempt, .. } => {
                open.migration.record("attempts", *attempt);
                trace::fail(&open.statement);
                open.close_statement();
            }
            Event::MigrationFinished { .. } | Event::Finished { .. } => open.close(),
            Event::MigrationFailed { error, .. } => {
                open.migration.record("error", field::debug(error.code));
                trace::fail(&open.migration);
                trace::fail(&open.statement);
                open.close();
            }
            _ => {}
        }
    }
}

impl Open {
    fn close_statement(&mut self) {
        (self.statement, self.running) = (Span::none(), None);
    }

    fn close(&mut self) {
        self.close_statement();
        self.migration = Span::none();
    }
}
