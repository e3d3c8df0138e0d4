//! `/api/schemas`.

pub(super) mod backup;
pub(super) mod get;
pub(super) mod list;
pub(super) mod restore;
pub(super) mod validate;
