//! Backups as their users meet them: made of a real database, verified, restored into a real one.

mod faults;
mod forged;
mod help;
mod in_place;
mod in_place_tables;
mod kills;
mod rehearse;
#[path = "../storage/server.rs"]
#[expect(dead_code, reason = "the storage's own tests need more of it")]
mod server;
mod servers;
mod stores;
mod whole;
