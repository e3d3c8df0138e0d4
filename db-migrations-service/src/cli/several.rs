//! Several databases, one after the other: which did not answer.

use owo_colors::OwoColorize;

use super::exit::Exit;
use super::show::{BAD, Output};
use crate::operations::{Spread, Unavailable};

/// All databases that were asked.
pub(super) fn asked<T>(spread: &Spread<T>) -> Vec<&str> {
    let away = spread.unavailable.iter().map(|one| one.environment.as_str());
    spread.answers.iter().map(|(name, _)| name.as_str()).chain(away).collect()
}

/// Names the databases that did not answer, and ends with the code for that where there is one.
pub(super) fn missing(output: Output, unavailable: &[Unavailable]) -> Exit {
    for one in unavailable {
        output.line(format!("\n{} {}: {}", "✗".style(BAD), one.environment, one.message));
        if let Some(cure) = &one.cure {
            output.line(format!("  {cure}"));
        }
    }
    if unavailable.is_empty() { Exit::Ok } else { Exit::Unavailable }
}
