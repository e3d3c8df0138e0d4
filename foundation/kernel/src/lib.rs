//! Words that every layer shares: no I/O, no framework, nothing that only one service needs.

mod actor;
mod cause;
mod claims;
mod ids;
mod secret;

pub use actor::Actor;
pub use cause::cause;
pub use claims::{AppRole, Caller, Claims, NoSuchRole};
pub use ids::{OrganizationId, RequestId, SessionId, UserId};
pub use secret::Secret;
