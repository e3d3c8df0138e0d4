//! Bringing a target forward or back.

pub(crate) mod apply;
pub(crate) mod attempt;
pub(crate) mod backfill;
pub(crate) mod beside;
pub(crate) mod dry;
pub(crate) mod envelope;
pub mod execute;
pub(crate) mod pieces;
pub(crate) mod repair;
pub(crate) mod rollback;
pub(crate) mod steps;
pub(crate) mod stepwise;
pub(crate) mod telling;
mod waiting;
