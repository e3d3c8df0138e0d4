//! What is wrong with an installation, and what to do: the questions that an operator asks first, answered in one go.
//!
//! It changes nothing. Everything that can be looked at is looked at, also after something was found wrong.

mod backups;
mod fleets;
mod machine;
mod roles;
mod target;
mod webhooks;

use serde::Serialize;

use crate::cli::Context;
use crate::cli::context::block_on;
use crate::operations::Recording;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// It works, but something will not.
    Warning,
    /// It does not work.
    Error,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What was looked at: `settings`, `server`, `project`, or an environment.
    pub area: String,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found, one sentence.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
    /// SQL that an administrator can run to mend it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<String>,
}

impl Check {
    fn new(area: &str, verdict: Verdict, message: impl Into<String>) -> Self {
        Self { area: area.to_owned(), verdict, message: message.into(), cure: None, statements: Vec::new() }
    }

    /// As it should be.
    pub fn ok(area: &str, message: impl Into<String>) -> Self {
        Self::new(area, Verdict::Ok, message)
    }

    /// Worth knowing.
    pub fn note(area: &str, message: impl Into<String>) -> Self {
        Self::new(area, Verdict::Note, message)
    }

    /// It works, but something will not.
    pub fn warning(area: &str, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { cure: Some(cure.into()).filter(|c| !c.is_empty()), ..Self::new(area, Verdict::Warning, message) }
    }

    /// It does not work.
    pub fn error(area: &str, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { cure: Some(cure.into()).filter(|c| !c.is_empty()), ..Self::new(area, Verdict::Error, message) }
    }

    /// With a statement that mends it, or a part of it.
    #[must_use]
    pub fn statement(mut self, sql: impl Into<String>) -> Self {
        self.statements.push(sql.into());
        self
    }
}

/// Looks at everything, or only at what matters also where nothing is migrated from.
pub fn examine(context: &Context, migrates_here: bool) -> Vec<Check> {
    let mut checks = machine::settings(context);
    let settings_are_good = checks.iter().all(|check| check.verdict < Verdict::Error);
    checks.extend(machine::clock());
    if !migrates_here {
        checks.push(Check::note(
            "databases",
            "the migration service's are not looked at: only other parts are set up here",
        ));
        return checks;
    }
    let (more, databases) = machine::server(context);
    checks.extend(more);
    checks.push(machine::port(context, databases));
    match context.project() {
        Err(failure) => {
            let place = failure.error.location.as_ref().map(|at| format!("{}:{}:{}: ", at.file, at.line, at.column));
            let message = format!("{}{}", place.unwrap_or_default(), failure.error.message);
            checks.push(Check::error("project", message, failure.error.cure.clone().unwrap_or_default()));
        }
        Ok(project) => {
            checks.push(machine::project(&project));
            if let (Some(databases), true) = (databases, settings_are_good) {
                match context.operations(project, databases, Recording::Alongside) {
                    Err(failure) => {
                        let cure = failure.error.cure.clone().unwrap_or_default();
                        checks.push(Check::error("settings", failure.error.message.clone(), cure));
                    }
                    Ok(operations) => checks.extend(
                        block_on(async {
                            let (targets, backups) = (target::all(&operations).await, backups::all(&operations).await);
                            let (fleets, webhooks) = (fleets::all(&operations).await, webhooks::all(&operations).await);
                            [targets, fleets, backups, webhooks].concat()
                        })
                        .unwrap_or_default(),
                    ),
                }
            }
        }
    }
    checks
}
