//! `/api/migrations`.

pub(super) mod bless;
pub(super) mod history;
pub(super) mod plan;
pub(super) mod rollback;
pub(super) mod run;
pub(super) mod status;
pub(super) mod validate;
