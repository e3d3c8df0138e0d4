//! `/api/audit`: who changed the schema.

pub(super) mod list;
pub(super) mod verify;
