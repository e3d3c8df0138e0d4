//! No migration is applied unproven: the gates that look at what is pending, and the certificates they give.
//!
//! How it is built, and why: `docs/adr/0007-proofs.md`.

pub(crate) mod adoption;
pub mod certificate;
pub mod data;
pub mod drift;
pub mod report;
pub mod shared;

mod gate_keeper;
mod hazards;
mod home;
mod lint;
mod neighbours;
mod observe;
mod rehearsal;
mod rehearse;
mod stage;
mod subject;
mod validate;

pub(crate) use gate_keeper::{remember, require};
pub(crate) use validate::validate;

use serde::{Deserialize, Serialize};

use crate::request::Scope;
use report::Gate;

/// What to look at.
#[derive(Debug, Clone)]
pub struct ValidateRequest {
    /// Which services; what their migrations need of others comes along.
    pub scope: Scope,
    /// All migrations from an empty database on, instead of the pending ones on this one.
    pub whole: bool,
    /// Gates to look through; empty means all.
    pub gates: Vec<Gate>,
}

/// A gate that somebody passes by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Which.
    pub gate: Gate,
    /// Why; it is kept with the run.
    pub reason: String,
}
