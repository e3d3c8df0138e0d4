//! The migration service: the engine, made reachable for people, programs and the network.
//!
//! [`operations`] is the one layer that says what the service can do; `http` and the command line only translate. It
//! is fed by [`settings`], [`project`] and [`targets`], and keeps its own records in the [`master`] database.

pub mod alerts;
pub mod cli;
pub mod doctor;
pub mod erd;
pub mod events;
pub mod http;
pub mod master;
mod monitor;
pub mod operations;
mod outbound;
pub mod project;
mod serve;
pub mod settings;
pub mod targets;
pub mod watch;
pub mod webhooks;

pub use http::openapi_document;
pub use serve::{MASTER_PART, STARTUP_PART, Service, StartError};
/// What a program that composes services needs of their crates.
pub use {migration_engine::Project, web::Readiness};
