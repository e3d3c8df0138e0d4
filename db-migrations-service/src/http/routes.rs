//! Every route, and the scopes any one of which a caller needs for it.

use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::Readiness;

use super::auth::Scope::{Admin, Backup, Migrate, Read, Release, Restore, Rollback, Seed};
use super::auth::needs;
use super::{
    Api, alerts, audit, backup, compatibility, database, drift, events, fleets, health, metrics, migrations, releases,
    runs, schemas, seeds, service, session, tokens, webhooks,
};

/// `[Scope, …]: handler, handler, …;` for each area.
macro_rules! table {
    ($($scopes:tt: $($first:ident $(:: $rest:ident)*),+;)+) => {
        OpenApiRouter::new()$($(.routes(needs(&$scopes, routes!($first $(:: $rest)*))))+)+
    };
}

/// What only somebody with the right scope may call.
pub(super) fn guarded() -> OpenApiRouter<Api> {
    table! {
        [Read]: migrations::status::migration_status, migrations::history::migration_history, migrations::plan::migration_plan,
            migrations::certificates::migration_certificates, runs::list::list_runs;
        // Whoever may start a run may see how it goes on.
        [Read, Migrate, Rollback, Seed]: runs::get::get_run, runs::events::run_events;
        // A service asks for itself with a token that lets it do nothing else.
        [Read, Release]: events::stream::stream_events, compatibility::get::get_compatibility;
        [Release]: releases::register::register_release, releases::sign_off::sign_release_off;
        [Read]: releases::list::list_releases, webhooks::list::list_webhooks;
        [Read]: fleets::list::list_fleets, fleets::status::fleet_status, fleets::plan::fleet_plan, fleets::runs::list_fleet_runs;
        [Read, Migrate, Rollback]: fleets::runs::get_fleet_run, fleets::targets::list_fleet_targets;
        [Migrate]: fleets::run::run_fleet;
        [Rollback]: fleets::rollback::roll_back_fleet;
        [Migrate, Rollback]: fleets::resume::resume_fleet_run, fleets::cancel::cancel_fleet_run;
        [Read]: service::get::get_service, service::status::service_status;
        [Read]: schemas::list::list_schemas, schemas::get::get_schema, seeds::status::seed_status;
        [Read]: database::health::database_health, database::connections::database_connections,
            database::performance::database_performance, database::size::database_size,
            database::history::database_history;
        [Read]: health::database::targets_health, health::master_database::master_health, health::redis::redis_health, metrics::metrics;
        [Read]: migrations::validate::validate_migrations, schemas::validate::validate_schemas, backup::list::list_backups;
        [Read]: alerts::list::list_alerts;
        [Read]: audit::list::list_audit, audit::verify::verify_audit, drift::list::list_drift, drift::check::check_drift;
        [Migrate]: migrations::run::run_migrations, service::run::run_service, runs::cancel::cancel_run;
        [Rollback]: migrations::rollback::roll_back_migrations, service::rollback::roll_back_service;
        [Seed]: seeds::run::run_seeds, seeds::run_service::run_service_seeds, seeds::reset::reset_seeds;
        [Backup]: backup::create::create_backup, backup::cancel::cancel_backup, backup::verify::verify_backup,
            schemas::backup::back_up_schemas;
        [Restore]: backup::restore::restore_backup, schemas::restore::restore_schemas;
        // Whoever may start something may see how it goes on.
        [Read, Backup, Restore]: backup::get::get_backup;
        // Whoever has any scope at all.
        [Read, Release, Migrate, Rollback, Seed, Backup, Restore, Admin]: session::get_session;
        [Admin]: migrations::adopt::adopt_migrations, migrations::bless::bless_migration, backup::delete::delete_backup, backup::prune::prune_backups,
            tokens::list::list_tokens, tokens::create::create_token, tokens::revoke::revoke_token;
    }
}

/// What anybody may call: whether it lives, whether it is ready.
pub(super) fn open(readiness: Readiness) -> OpenApiRouter {
    web::health_routes(readiness)
}

/// What a browser begins with: the dashboard, which is the same for everybody.
pub(super) fn front() -> Router<Api> {
    dashboard::routes()
}

/// Signing in and out, which nobody can be signed in for.
pub(super) fn door() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(session::sign_in, session::sign_out))
}

/// The document and its page, for who may read.
pub(super) fn documentation(document: &OpenApi) -> Router<Api> {
    web::browsable(document).route_layer(axum::middleware::from_fn(super::auth::reads)).with_state(())
}
