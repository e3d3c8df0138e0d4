//! `/api/migrations`.

pub(super) mod adopt;
pub(super) mod bless;
pub(super) mod certificates;
pub(super) mod history;
pub(super) mod plan;
pub(super) mod rollback;
pub(super) mod run;
pub(super) mod status;
pub(super) mod validate;

use migration_engine::MigrationId;
use web::Problem;

use super::Api;
use crate::operations::parse_migration;

/// Reads the migration that `member` of a request names.
pub(in crate::http) fn migration(
    api: &Api,
    service: Option<&str>,
    member: &str,
    text: &str,
) -> Result<MigrationId, Problem> {
    parse_migration(api.operations.catalogue(), service, text)
        .map_err(|error| Problem::from(error).with("member", member))
}
