//! The user service: the people of a school, their roles, profiles, preferences and guardians.
//!
//! [`bind`] takes its port and gives a part that serves. Accounts and passwords are the auth service's: where this one needs
//! them, it calls what schema auth publishes. What it keeps, its routes and its invariants: README.md beside this crate's
//! manifest. Decisions: ADR 24 (how a service is built) and ADR 27 (lists of large schools, people of two schools, invitations).

mod error;
mod http;
mod letters;
mod model;
mod roster;
mod rules;
mod settings;
mod state;
mod store;

use runtime::{ConfigErrors, Environment};
use service::{Definition, Service, StartError};
use utoipa::openapi::OpenApi;

pub use settings::UsersSettings;

use crate::state::Users;

/// What it is.
pub const DEFINITION: Definition = Definition {
    name: "user-service",
    prefix: "USER_SERVICE",
    port: 3002,
    role: "users_service",
    needs: &["users/20261102000100", "auth/20261102000100", "organizations/20261104000000", "public/20261101000000"],
    title: "Profe: user service",
    description: "The people of a school: who they are, what they may do, and who follows whom.",
};

/// Takes the port. What is returned serves when it is run as a part of a program.
///
/// # Errors
/// As [`Service::bind`].
pub async fn bind(settings: UsersSettings) -> Result<Service, StartError> {
    let service = Service::bind(&DEFINITION, settings.service).await?;
    let users = Users::new(service.platform(), settings.mail, settings.web_url);
    let worker = users.clone();
    Ok(service.with(http::routes().with_state(users)).beside(async move { letters::run(&worker).await }))
}

/// Its settings, as the environment says.
///
/// # Errors
/// All values that cannot be used, together.
pub fn settings(environment: &Environment) -> Result<UsersSettings, ConfigErrors> {
    UsersSettings::read(environment)
}

/// Its OpenAPI document, as it is committed.
pub fn document() -> OpenApi {
    let (_, document) = http::routes().split_for_parts();
    service::document(&DEFINITION, document)
}
