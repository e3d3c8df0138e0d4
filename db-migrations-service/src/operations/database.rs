//! How a target's database is doing, from PostgreSQL's own statistics.

mod connections;
mod health;
mod performance;
mod size;

pub use connections::{ConnectionsView, Session};
pub use health::{DatabaseHealth, TargetHealth};
pub use performance::{Activity, Performance, StatementFigures, TableActivity};
pub use size::{SchemaSize, SizeView, TableSize};
