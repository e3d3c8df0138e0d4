//! How a target's database is doing, from PostgreSQL's own statistics.

mod connections;
mod health;
mod history;
mod order;
mod performance;
mod size;

pub use connections::{ConnectionsView, Session};
pub use health::{DatabaseHealth, SchemaHealth, TargetHealth};
pub use history::{DatabaseHistory, DatabaseHistoryOrder, HistoryMetric, HistorySeries, HistorySpan};
pub use order::DatabaseOrder;
pub use performance::{Activity, Bloat, MissingIndex, Performance, StatementFigures, TableActivity, UnusedIndex};
pub use size::{SchemaSize, SizeView, TableSize};
