//! Words that every layer shares: no I/O, no framework, nothing that only one service needs.

mod actor;
mod secret;

pub use actor::Actor;
pub use secret::Secret;
