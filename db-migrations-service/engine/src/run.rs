//! Bringing a target forward or back.

pub(crate) mod apply;
pub(crate) mod attempt;
pub(crate) mod dry;
pub mod execute;
pub(crate) mod repair;
pub(crate) mod rollback;
pub(crate) mod steps;
pub(crate) mod stepwise;
mod waiting;
