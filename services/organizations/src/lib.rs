//! The organization service: schools, what they say of themselves, and how they are set up.
//!
//! [`bind`] takes its port and gives a part that serves. What it keeps, its routes and its invariants: README.md beside this
//! crate's manifest. Decisions: ADR 24 (how a service is built) and ADR 28 (who founds schools, what can be set).

mod http;
mod model;
mod rules;
mod store;

use runtime::{ConfigErrors, Environment};
use service::{Definition, Service, Settings, StartError};
use utoipa::openapi::OpenApi;

/// What it is.
pub const DEFINITION: Definition = Definition {
    name: "organization-service",
    prefix: "ORGANIZATION_SERVICE",
    port: 3003,
    role: "organizations_service",
    needs: &["organizations/20261103000000", "users/20261103000000", "public/20261101000000"],
    title: "Profe: organization service",
    description: "Schools: what they say of themselves, and how they are set up.",
};

/// Takes the port. What is returned serves when it is run as a part of a program.
///
/// # Errors
/// As [`Service::bind`].
pub async fn bind(settings: Settings) -> Result<Service, StartError> {
    let service = Service::bind(&DEFINITION, settings).await?;
    let routes = http::routes().with_state(service.platform());
    Ok(service.with(routes))
}

/// Its settings, as the environment says.
///
/// # Errors
/// All values that cannot be used, together.
pub fn settings(environment: &Environment) -> Result<Settings, ConfigErrors> {
    Settings::read(&DEFINITION, environment)
}

/// Its OpenAPI document, as it is committed.
pub fn document() -> OpenApi {
    let (_, document) = http::routes().split_for_parts();
    service::document(&DEFINITION, document)
}
