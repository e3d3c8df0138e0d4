//! What must hold when everything is mended. Each part answers deviations: one sentence each, none when all is well.

pub mod backups;
pub mod events;
pub mod leftovers;
pub mod records;
pub mod targets;

use crate::Outcome;

/// What was found by one part.
#[derive(Debug, Clone, Default)]
pub struct Finding {
    /// What was looked at, in a sentence that says how much of it.
    pub what: String,
    /// What is wrong.
    pub deviations: Vec<String>,
}

impl Finding {
    /// Of a look that may itself have failed.
    pub fn of(what: &str, looked: Outcome<(String, Vec<String>)>) -> Self {
        match looked {
            Ok((seen, deviations)) => Self { what: format!("{what}: {seen}"), deviations },
            Err(error) => {
                Self { what: what.to_owned(), deviations: vec![format!("{what} could not be looked at: {error}")] }
            }
        }
    }
}
