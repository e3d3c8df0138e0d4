//! The auth service: accounts, passwords, sessions and the tokens that everybody else believes.
//!
//! [`bind`] takes its port and gives a part that serves. It is the only one that knows passwords and signs tokens
//! ([`identity`]); other schemas are reached by functions that they publish. Decisions: ADR 23 (tokens) and ADR 26 (limits,
//! sessions, registering, mail). What it keeps, its routes and its invariants: README.md beside this crate's manifest.

mod breached;
mod error;
mod errands;
mod hashing;
mod http;
mod keys;
mod model;
mod rules;
mod seal;
mod settings;
mod state;
mod store;
mod sweep;
mod tokens;

use runtime::Environment;
use service::{Definition, Service, StartError};
use state::Auth;
use utoipa::openapi::OpenApi;

pub use hashing::{Hasher, PHC_FOR_NOBODY};
pub use settings::{AuthSettings, AuthSettingsError, Lifetimes};
pub use state::NotStarted;

/// What it is.
pub const DEFINITION: Definition = Definition {
    name: "auth-service",
    prefix: "AUTH_SERVICE",
    port: 3001,
    role: "auth_service",
    needs: &["auth/20261101000700", "users/20261101000100"],
    title: "Profe: auth service",
    description: "Registering, signing in and out, sessions, passwords, and the keys by which tokens are believed.",
};

/// Takes the port. What is returned serves when it is run as a part of a program.
///
/// # Errors
/// As [`Service::bind`], and where keys cannot be sealed or no thread for hashing can be started.
pub async fn bind(settings: AuthSettings) -> Result<Service, NotStarted> {
    let shared = service::Settings { is_issuer: true, ..settings.service.clone() };
    let service = Service::bind(&DEFINITION, shared).await?;
    let auth = Auth::new(settings, service.platform(), service.readiness())?;
    let work = [auth.clone(), auth.clone(), auth.clone()];
    let [keys, errands, sweeping] = work;
    Ok(service
        .with(http::routes(auth))
        .beside(async move { keys::keep(&keys).await })
        .beside(async move { errands::run(&errands).await })
        .beside(async move { sweep::run(&sweeping).await }))
}

/// As [`bind`], with what the environment says.
///
/// # Errors
/// All values that cannot be used, together; and as [`bind`].
pub async fn bind_from(environment: &Environment) -> Result<Service, NotStarted> {
    bind(AuthSettings::read(environment)?).await
}

/// Its OpenAPI document, as it is committed.
pub fn document() -> OpenApi {
    service::document(&DEFINITION, http::described())
}

impl From<StartError> for NotStarted {
    fn from(error: StartError) -> Self {
        Self::Service(error)
    }
}
