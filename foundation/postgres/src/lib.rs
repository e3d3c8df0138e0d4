//! The only place in the workspace that opens a connection to PostgreSQL.
//!
//! Operators already know how to describe a database to `psql`, so [`ConnectOptions`] understands the same URLs,
//! `key=value` strings, environment variables, `.pgpass` files and `sslmode`s, and fails with one sentence and a cure
//! where something is missing. [`connect()`] returns an [`AdminConn`]: one session, one `Client`, with what a migration
//! engine needs around it – several statements in one message, cancelling, notices, and word when the session dies.
//!
//! Services that answer requests have another door, [`tenant`]: a pool, and one transaction for each request.
//!
//! What it does not do: it retries nothing, starts no transactions of its own on an [`AdminConn`], and never decides there
//! what an SQL error means for its caller. It uses rustls on ring only; OpenSSL's client features that rustls does not
//! have (encrypted key files, revocation lists, names in a certificate's CN) are refused with a sentence that says so.

pub mod claims;
pub mod quote;
pub mod sqlstate;
pub mod tenant;

mod connect;
mod options;
mod passfile;
mod session;
mod sql_error;
mod tls;

pub use connect::{ConnectError, ConnectErrorKind, connect};
pub use options::{ChannelBinding, ConnectOptions, Lookup, OptionsError, SslMode, TargetSession, process_environment};
pub use session::{
    AdminConn, BatchError, BatchFailure, BatchOutcome, Canceller, Closed, Flight, Notification, StatementOutcome,
};
pub use sql_error::SqlError;

/// The driver itself, for parameterised queries through [`AdminConn::client`] and for its row and parameter types.
pub use tokio_postgres;
