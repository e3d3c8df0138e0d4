//! What a service needs of the migration service: whether its release fits the schemas, a word when that changes, and to be
//! known as alive, so that nothing is taken away that it still uses.
//!
//! [`Client::watch`] does all of it beside the service and keeps an answer for its readiness:
//!
//! ```no_run
//! # async fn serve() -> Result<(), migration_client::ClientError> {
//! use migration_client::{Client, Settings};
//!
//! let mut settings = Settings::new("http://localhost:3009", "plans-service", "2.4.1");
//! settings.needs = vec!["plans/20260901100000".to_owned()];
//! let watch = Client::new(settings)?.watch();
//! // In the handler of /ready:
//! let readiness = watch.readiness();
//! let (status, body) = (readiness.status_code(), readiness.to_json());
//! // When the service ends:
//! watch.stop().await;
//! # let _ = (status, body); Ok(()) }
//! ```
//!
//! It opens no database and knows no web framework. While the migration service is away it says so, and a service that was
//! ready stays ready: [`WhenUnknown`] says what becomes of one that starts meanwhile.

mod answer;
mod changes;
mod client;
mod error;
mod readiness;
mod settings;
mod sse;
mod watch;

pub use answer::{Compatibility, SchemaCompatibility, Verdict};
pub use changes::{Change, Changes};
pub use client::Client;
pub use error::{ClientError, NotCompatible};
pub use readiness::{Readiness, Standing};
pub use settings::{Settings, WhenUnknown};
pub use watch::Watch;
