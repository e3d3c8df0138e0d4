//! What all domain services are built of: a caller and a transaction for each request, the answers that failures become,
//! lists, versions, requests that are done once, and a server that knows when it is ready.
//!
//! A service names itself in a [`Definition`], gives its routes, and is served by [`Service`]. Its handlers take the extractors
//! of this crate and return `Result<_, Fault>`:
//!
//! ```no_run
//! # use service::{Fault, Platform, Tenant, web::{Json, Path}};
//! # use uuid::Uuid;
//! async fn get_name(Tenant { tx, .. }: Tenant, Path(id): Path<Uuid>) -> Result<Json<serde_json::Value>, Fault> {
//!     let row = tx.last().query_one("SELECT name FROM organizations.organizations WHERE id = $1", &[&id]).await?;
//!     Ok(Json(serde_json::json!({ "name": row.get::<_, String>(0) })))
//! }
//! # let _ = axum::Router::<Platform>::new().route("/{id}", axum::routing::get(get_name));
//! ```
//!
//! It knows no service, no table of any but its own `public.idempotent_answers`, and retries nothing. Decisions: ADR 24.

mod address;
mod caller;
mod document;
mod fault;
pub mod kinds;
mod link;
mod list;
mod metrics;
pub mod once;
mod platform;
mod serve;
mod settings;
mod version;

pub use address::ClientAddress;
pub use caller::{AsService, SignedIn, Tenant};
pub use document::{document, role_schema};
pub use fault::Fault;
pub use link::LinkToken;
pub use list::{Cursor, List, MOST_COUNTED, Page, Paging};
pub use once::{Answer, Keyed};
pub use platform::Platform;
pub use serve::{Service, StartError, local_url};
pub use settings::{Definition, Settings};
pub use version::{IfMatch, Version, Versioned};

/// The shell that services stand in, so that they need name no second crate for bodies, parameters and problems.
pub use web;
