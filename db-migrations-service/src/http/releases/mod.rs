//! `/api/releases`: which releases of the services run.

pub(super) mod list;
pub(super) mod register;
pub(super) mod sign_off;
