//! A real PostgreSQL for every test, and a database of its own that is migrated already.
//!
//! The server is the one that `PROFE_TEST_SERVER` names (`make test` starts one for all test binaries and sets it), or
//! a private cluster that this process starts once and that ends with it. Databases are cloned from a template, which
//! takes some tens of milliseconds, and dropped when the test is done.
//!
//! Panics are the errors here: a test that cannot have its database has failed.

mod contract;
mod document;
pub mod faults;
mod issuer;
mod kill;
pub mod matrix;
pub mod people;
mod platform;
mod project;
mod served;
mod server;

pub use contract::Contract;
pub use document::document;
pub use issuer::Issuer;
pub use kill::{moments, processes_with, seed};
pub use people::Person;
pub use platform::{Platform, service_url};
pub use project::{TestProject, platform_project};
pub use served::{Seen, Served};
pub use server::{Server, TestDb, VARIABLE, server, start_cluster};

/// Runs a future on a small runtime of its own, for tests that are not async themselves.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be built")
        .block_on(future)
}
