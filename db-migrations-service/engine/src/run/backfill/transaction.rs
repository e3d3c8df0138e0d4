//! A part of a migration as one message and one transaction, with what the engine does beside the file's statements.

use std::ops::Range;

use postgres_link::{BatchError, BatchFailure};

use crate::error::EngineError;
use crate::run::envelope::PRELUDE;
use crate::run::steps::Step;
use crate::target::session::own_statement;

/// What a transaction of a part holds. Every text is one statement.
#[derive(Default)]
pub(super) struct Content {
    /// Before the file's statements, as the owner.
    pub before: Vec<String>,
    /// The file's statements.
    pub statements: Range<usize>,
    /// After them, as the owner; with the statement of the file that each is about, where it is one.
    pub after: Vec<(String, Option<usize>)>,
    /// At the end, as the engine; may be several.
    pub closing: String,
}

/// A transaction as it is sent.
pub(super) struct Transaction {
    pub message: String,
    before: usize,
    statements: Range<usize>,
    after: Vec<Option<usize>>,
    /// Where each of the file's statements begins in the message, in characters; `None` for one that goes through the door.
    starts: Vec<Option<u32>>,
}

impl Transaction {
    pub(super) fn new(step: &Step, lock_timeout_ms: u64, content: Content) -> Self {
        let mut message = step.opening("BEGIN", lock_timeout_ms);
        for statement in &content.before {
            message.push_str(statement);
            message.push(';');
        }
        let mut starts = Vec::new();
        for index in content.statements.clone() {
            let as_it_stands = !step.script().statements[index].1.runs_code;
            starts.push(as_it_stands.then(|| u32::try_from(message.chars().count()).unwrap_or(u32::MAX)));
            message.push_str(&step.sent(index));
            // The line break ends a comment that the statement may end with.
            message.push_str("\n;");
        }
        for (statement, _) in &content.after {
            message.push_str(statement);
            message.push(';');
        }
        let separator = if content.closing.is_empty() { "" } else { ";" };
        message.push_str(&step.ending(&format!("{}{separator}COMMIT", content.closing)));
        let after = content.after.into_iter().map(|(_, about)| about).collect();
        Self { message, before: content.before.len(), statements: content.statements, after, starts }
    }

    /// What the server said, as the migration's failure.
    pub(super) fn refusal(&self, step: &Step, error: &BatchError) -> EngineError {
        let nth = error.completed().checked_sub(PRELUDE + self.before);
        let about = nth.and_then(|nth| nth.checked_sub(self.statements.len())).and_then(|nth| *self.after.get(nth)?);
        if let Some(index) = about {
            let mut of_one = error.clone();
            if let BatchFailure::Sql(sql) = &mut of_one.failure {
                sql.position = None;
            }
            return step.refusal_of_one(&of_one, index);
        }
        let Some(index) = nth.map(|nth| nth + self.statements.start).filter(|index| self.statements.contains(index))
        else {
            return own_statement(error, "running a part of the migration").migration(&step.id);
        };
        let mut of_one = error.clone();
        if let BatchFailure::Sql(sql) = &mut of_one.failure {
            let start = self.starts[index - self.statements.start];
            sql.position = sql.position.zip(start).and_then(|(position, start)| position.checked_sub(start));
        }
        step.refusal_of_one(&of_one, index)
    }
}
