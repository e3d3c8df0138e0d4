//! `/api/database`.

pub(super) mod connections;
pub(super) mod health;
pub(super) mod performance;
pub(super) mod size;
