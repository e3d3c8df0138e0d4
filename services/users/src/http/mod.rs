//! The routes, one endpoint a file.

mod avatar;
mod change_status;
mod children;
mod create;
mod export;
mod get;
mod guardians;
mod import;
mod invitations;
mod list;
mod preferences;
mod profile;
mod remove;
mod restore;
mod roles;
mod search;
mod teachers;
mod update;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::Users;

/// Everything below `/api/users`.
pub(crate) fn routes() -> OpenApiRouter<Users> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(search::search))
        .routes(routes!(export::export))
        .routes(routes!(import::import))
        .routes(routes!(get::get, update::update, remove::remove))
        .routes(routes!(restore::restore))
        .routes(routes!(change_status::change_status))
        .routes(routes!(roles::list, roles::give))
        .routes(routes!(roles::take))
        .routes(routes!(profile::get, profile::write))
        .routes(routes!(avatar::write))
        .routes(routes!(preferences::get, preferences::write))
        .routes(routes!(guardians::list, guardians::add))
        .routes(routes!(guardians::remove))
        .routes(routes!(children::list))
        .routes(routes!(invitations::list, invitations::invite))
        .routes(routes!(invitations::withdraw))
        .routes(routes!(invitations::accept))
        .routes(routes!(teachers::list, teachers::create))
        .routes(routes!(teachers::update, teachers::remove))
        .routes(routes!(teachers::change_status))
}
