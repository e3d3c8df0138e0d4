//! Words that every layer shares: no I/O, no framework, nothing that only one service needs.

mod actor;
mod cause;
mod secret;

pub use actor::Actor;
pub use cause::cause;
pub use secret::Secret;
