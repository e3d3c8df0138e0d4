//! Whom a service believes: access tokens, by keys and ended sessions that the auth service publishes.
//!
//! [`Keyring::start`] fetches the key set at the start, hourly, and at an unknown key id, at most every ten seconds; and every five
//! seconds the sessions that were ended while tokens of theirs may still live. So nobody is asked during a request, and who signs
//! out, is blocked or removed is refused everywhere within **ten seconds**. While the auth service is away the last keys and
//! the last list stand: then within the life of a token, ten minutes.
//!
//! ```no_run
//! # async fn serve(headers: &http::HeaderMap, shutdown: tokio_util::sync::CancellationToken) -> Result<(), Box<dyn std::error::Error>> {
//! use keyring::{Keyring, Settings};
//!
//! let keyring = Keyring::start(Settings::default(), &shutdown)?;
//! keyring.known().await; // or `is_known()`, for /ready
//! let caller = keyring.believe(headers).await?;
//! # let _ = caller; Ok(()) }
//! ```
//!
//! It issues nothing and knows neither roles nor rows; what a token says is [`identity::Access`].

mod believed;
mod error;
mod fetch;
mod keep;
mod keyring;
mod settings;

pub use error::{NotBelieved, StartError};
pub use identity::{Access, Refused};
pub use keyring::Keyring;
pub use settings::{Settings, terms};
