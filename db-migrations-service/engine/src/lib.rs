//! The migration engine: everything that happens between migration files and a PostgreSQL database.
//!
//! It reads a *project* (migrations, seeds and the service catalogue), compares it with a *target* (one database in
//! one environment), and brings the target forward or back: ordered as a graph over all services, one transaction and
//! one round trip per migration, under an exclusive lock, with the history in the target itself.
//!
//! It knows nothing of HTTP, of command lines, or of how many targets there are. It prints nothing: progress is a
//! stream of [`event::Event`], and every failure is an [`error::EngineError`] that names the cure.

pub mod adopt;
pub mod audit;
pub mod catalogue;
pub mod error;
pub mod event;
pub mod hold;
pub mod migration;
pub mod plan;
pub mod project;
pub mod proof;
pub mod request;
pub mod scratch;
pub mod status;

mod compare;
mod engine;
mod graph;
mod history;
mod planning;
mod run;
mod seeds;
mod target;

/// The schema that the engine keeps its own tables in, on every target.
pub const HISTORY_SCHEMA: &str = "migration_service";

pub use catalogue::Catalogue;
pub use engine::{Engine, Target};
pub use error::{EngineError, ErrorCode};
pub use event::{Event, EventSink};
pub use foreign_migrations::{Layout, NewFiles, UnknownLayout};
pub use migration::{MigrationId, Version};
pub use plan::Plan;
pub use project::{Migration, Project, Seed};
pub use run::execute::PreparedRun;
pub use target::lock::{KEY as RUN_LOCK, WORKER_KEY as WORK_LOCK, short_run_id};
