//! What a statement will lock, rewrite and scan on *this* database, told before it is run.
//!
//! [`LiveCatalog::read`] takes down in one message what the database has; [`forecast()`] holds one statement against
//! it, and [`Catalog::advance`] then tells the catalog what the statement has done, so that a table that the first
//! statement creates is empty and nobody else's when the second alters it. [`assess()`] does both for a whole
//! transaction and says how long each lock keeps readers and writers away.
//!
//! What it does not do: it runs nothing and sees into no body that only the server reads. Where a function, a trigger
//! or `DO` may do more, [`Forecast::unknown`] says so; a rehearsal tells the rest. Event triggers are left out, being
//! the operator's and not the migration's.

mod mode;
mod catalog;
mod forecast;
mod blocking;
mod hazard;
mod tree;

pub use blocking::{Assessment, Blocking, Throughput, assess};
pub use catalog::{Catalog, Id, LiveCatalog, ReadError, Relation, RelationKind};
pub use forecast::{Forecast, RelationLock, Work, WorkKind, forecast};
pub use hazard::{CODES, DANGER, Hazard, Level, hazards};
pub use mode::LockMode;
