//! `/api/drift`: what was done to the targets behind the service's back.

pub(super) mod check;
pub(super) mod list;
