//! How many entries a page of a list has.

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
    Err(Problem::new(kinds::INVALID_QUERY)
        .detail(format!("the parameter \"limit\" is {size}, expected 1 to {longest}"))
        .cure("ask for less at once, and for the next page with the parameter \"before\"")
        .with("parameter", "limit"))
}
