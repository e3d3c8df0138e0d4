//! The data door of domain services, on the migrated platform: who asks is told to the database for one transaction, and
//! nothing of it reaches another.

mod doubt;
mod errors;
mod gate;
mod interleaved;
mod leaving;
mod login;
mod round_trip;
mod world;
