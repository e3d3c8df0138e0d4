//! Who somebody is, as a token says it: signed by one service, believed by all, asked of nobody.
//!
//! The auth service holds [`SigningKey`]s and issues [`Access`] tokens; every other service and the gateway hold only the
//! [`KeySet`] that it publishes. Tokens are JWTs signed with Ed25519 (RFC 8037) of the type `at+jwt` (RFC 9068), and live for
//! minutes. Nothing here speaks to a network, a database or a clock: where keys come from and what time it is, the caller says.
//! Refresh tokens are no JWTs and do not belong here.

mod access;
mod keys;

pub use access::{Access, Refused, Terms};
pub use keys::{KeyError, KeySet, SigningKey};
