//! The HTTP API: translates between requests and [`operations`](crate::operations), and decides nothing else.
//!
//! `routes` is the whole table with the scopes that each route accepts; one endpoint is one file.

mod alerts;
mod answer;
mod audit;
mod auth;
mod backup;
mod codes;
mod compatibility;
mod database;
mod databases;
mod drift;
mod events;
mod fleets;
mod health;
mod idempotency;
mod metrics;
mod migrations;
mod page;
mod problems;
mod releases;
mod routes;
mod runs;
mod schemas;
mod seeds;
mod service;
mod session;
mod stays;
mod tokens;
mod webhooks;

use axum::Router;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use web::{Door, Readiness};

pub use auth::Scope;
pub use codes::ALL as PROBLEM_KINDS;

use crate::operations::Operations;
use crate::settings::{AuthMode, Settings};

/// Reachable without looking at who calls, so that whoever starts and stops services can.
const LIVENESS: &[&str] = &["/health"];

/// What handlers need.
#[derive(Clone)]
struct Api {
    operations: Operations,
    auth: AuthMode,
    stays: stays::Stays,
    shutdown: CancellationToken,
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Profe migration service",
        description = "All schema change of the platform goes through here. Errors are `application/problem+json` with a \
                       stable `code` and a `message` for people (Spanish, or English where `Accept-Language` prefers it).",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "http://localhost:3009", description = "The default address"))
)]
struct Document;

/// The whole application, ready to be served.
pub fn router(
    operations: Operations,
    settings: &Settings,
    readiness: Readiness,
    shutdown: CancellationToken,
) -> Router {
    let door = Door::new(settings.bind, settings.allowed_hosts.clone(), settings.allowed_origins.clone(), LIVENESS);
    let api = Api { operations, auth: settings.auth, stays: stays::Stays::default(), shutdown };
    let (open, mut document) = routes::open(readiness).split_for_parts();
    let (guarded, rest) = routes::guarded().split_for_parts();
    let (door_routes, door_document) = routes::door().split_for_parts();
    document.merge(door_document);
    document = described(document, rest);
    let routes = guarded
        .merge(routes::documentation(&document))
        .route_layer(axum::middleware::from_fn_with_state(api.clone(), auth::authenticate));
    web::shell(open.merge(routes.merge(door_routes).merge(routes::front()).with_state(api)), door)
}

/// The OpenAPI document as it is committed under `openapi/migration-service.json`.
pub fn openapi_document() -> String {
    let mut open = routes::open(Readiness::expecting(&[])).into_openapi();
    open.merge(routes::door().into_openapi());
    web::pretty(&described(open, routes::guarded().into_openapi()))
}

fn described(open: OpenApi, guarded: OpenApi) -> OpenApi {
    let mut document = Document::openapi();
    document.merge(open);
    document.merge(guarded);
    auth::describe(&mut document);
    document
}
