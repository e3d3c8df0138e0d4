//! What may be. Nothing here asks a database, a clock or a network.

pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod membership;
pub(crate) mod password;
pub(crate) mod refresh;
