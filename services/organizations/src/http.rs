//! The routes, one endpoint a file.

mod config;
mod create;
mod delete;
mod get;
mod list;
mod own;
mod restore;
mod update;

use service::Platform;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Everything below `/api/organizations`.
pub(crate) fn routes() -> OpenApiRouter<Platform> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(own::get, own::put))
        .routes(routes!(get::get, update::update, delete::delete))
        .routes(routes!(restore::restore))
        .routes(routes!(config::get, config::put, config::patch))
}
