//! What the database is asked: functions on a transaction of the caller.

pub(crate) mod invitations;
pub(crate) mod manage;
pub(crate) mod people;
pub(crate) mod profiles;
pub(crate) mod relatives;
pub(crate) mod search;
