//! One database: sessions on it, the engine's own tables in it, and the lock that keeps runners apart.

pub(crate) mod at_once;
pub(crate) mod confine;
pub(crate) mod lock;
pub(crate) mod prepare;
pub(crate) mod session;
pub(crate) mod store;

pub(crate) use postgres_link::quote;
