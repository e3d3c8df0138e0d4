//! `/api/seeds`.

pub(super) mod reset;
pub(super) mod run;
pub(super) mod run_service;
pub(super) mod status;
