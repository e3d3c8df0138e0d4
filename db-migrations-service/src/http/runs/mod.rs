//! `/api/migrations/runs`.

pub(super) mod cancel;
pub(super) mod events;
pub(super) mod get;
pub(super) mod list;
