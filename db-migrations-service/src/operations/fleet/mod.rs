//! Fleets: one service's schema on many databases ([ADR 16](../../../../docs/adr/0016-many-targets.md)).
//!
//! A run over a fleet is a row of the master database with one row below it for each database. Each database is brought forward
//! as any target is, under its own lock and with its own history; the rows say only whose turn was, so that whoever goes on
//! after a crash begins where the last one stopped, and finds in the databases themselves what had come of the rest.

mod drive;
mod find;
mod jobs;
mod order;
mod plan;
mod run;
mod status;
mod target;
mod view;

pub use find::FleetView;
pub use jobs::FleetHandle;
pub use order::{FleetAim, FleetOrder};
pub use plan::{FleetPlan, FleetPlanGroup};
pub use status::{FleetStatus, FleetTargetStatus, VersionCount};
pub use view::{FleetProgress, FleetRunView};

pub(super) use jobs::FleetJobs;
