//! What every program of the workspace needs before and after its real work: configuration, logging, parts that run
//! until somebody says stop.
//!
//! It knows no database, no HTTP and no service, and reads the process's environment in one place only
//! ([`Environment::load`]); everything else takes what it needs as arguments.

pub mod environment;
pub mod shutdown;
pub mod telemetry;
pub mod trace;

mod component;
mod supervisor;

pub use component::{BoxError, Component, Ready};
pub use environment::{Collector, ConfigError, ConfigErrors, Environment};
pub use supervisor::{Readiness, State, Supervisor, SupervisorError};
/// The token that components listen to; see [`shutdown`].
pub use tokio_util::sync::CancellationToken;
