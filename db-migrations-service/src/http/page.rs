//! Pages of a list: how many entries they have, of what, and where the next one begins.

use web::{Problem, kinds};

/// The size asked for, or the usual one.
///
/// # Errors
/// Nothing or more than `longest`.
pub(super) fn size(asked: Option<u32>, usual: u32, longest: u32) -> Result<u32, Problem> {
    let size = asked.unwrap_or(usual);
    if (1..=longest).contains(&size) {
        return Ok(size);
    }
    let cure = if size == 0 {
        format!("give the parameter \"limit\" as a whole number from 1 to {longest}, or leave it out")
    } else {
        "ask for less at once, and for the next page with the parameter \"before\"".to_owned()
    };
    Err(Problem::new(kinds::INVALID_QUERY)
        .detail(format!("the parameter \"limit\" is {size}, expected 1 to {longest}"))
        .cure(cure)
        .with("parameter", "limit"))
}

/// Where the next page begins: after the last entry of a full one.
pub(super) fn next<T, Id>(entries: &[T], limit: usize, id: impl FnOnce(&T) -> Id) -> Option<Id> {
    entries.last().filter(|_| entries.len() == limit).map(id)
}

/// The value that is called `word`, of `all` that a `thing` can have.
///
/// # Errors
/// A word that none of them is called.
pub(super) fn one_of<T: Copy, const N: usize>(
    all: [T; N],
    name: impl Fn(T) -> &'static str,
    parameter: &'static str,
    word: &str,
    thing: &str,
) -> Result<T, Problem> {
    all.into_iter().find(|value| name(*value) == word).ok_or_else(|| {
        Problem::new(kinds::INVALID_QUERY)
            .detail(format!("the parameter {parameter:?} is {word:?}, which no {thing} can have"))
            .cure(format!("use one of: {}", all.map(name).join(", ")))
            .with("parameter", parameter)
    })
}
