//! Snapshots of real databases.

mod changes;
mod fixture;
mod following;
mod reading;
