//! `/api/alerts`: what is worth waking somebody for.

pub(super) mod list;
