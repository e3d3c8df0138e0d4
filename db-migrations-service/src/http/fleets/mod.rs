//! `/api/fleets`: one service's schema on many databases.

pub(super) mod cancel;
pub(super) mod list;
pub(super) mod plan;
pub(super) mod resume;
pub(super) mod rollback;
pub(super) mod run;
pub(super) mod runs;
pub(super) mod status;
pub(super) mod targets;
