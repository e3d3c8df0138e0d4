//! A private PostgreSQL cluster from the binaries found on the machine.
//!
//! The default database of a laptop and of every test: nothing to configure, nothing left running. The supervisor is
//! this process; when it ends, even by `kill -9`, the server ends with it (on Linux; elsewhere the next start tells).
//! The server listens on 127.0.0.1 only, with a password, and has no Unix socket. Other processes of the same account
//! can use it as [`Guest`]s.
//!
//! What it does not do: download PostgreSQL, upgrade a cluster to another major version, or make backups. It is not
//! meant for data that must survive this machine. All calls block (a first start takes seconds); in async code call
//! them on a blocking thread.

mod account;
mod binaries;
mod cluster;
mod error;
mod folder;
mod guest;
mod initialise;
mod log;
mod options;
mod postmaster;
mod start;
mod tools;

pub use binaries::{Binaries, NotFound, Version};
pub use cluster::Cluster;
pub use error::StartError;
pub use guest::Guest;
pub use options::ClusterOptions;
pub use postmaster::{Exit, die_with_parent};
pub use tools::{NoTools, Tools};
