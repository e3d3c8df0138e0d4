//! `POST /api/backup/prune`

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use web::{Json, JsonOrNothing, Problem};

use crate::http::Api;
use crate::http::auth::Who;
use crate::operations::{PruneOrder, PruneView};

/// What to prune.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::http) struct PruneBody {
    /// An environment of the catalogue, each of its databases. Default: all.
    #[schema(example = "production")]
    environment: Option<String>,
    /// Only say what would be deleted, and which rule keeps the others.
    dry_run: bool,
    /// The environment's name once more, or `all` where none is named.
    confirm: Option<String>,
}

/// Delete what the rules of retention do not keep
///
/// The rules are those of each environment in the catalogue; a backup that any of them keeps stays, and so does the last verified
/// one of each service. Who did it is kept with each backup. Also removed is what killed writers have left in the storage more than
/// a day ago.
#[utoipa::path(post, path = "/api/backup/prune", tag = "backup", request_body = PruneBody,
    responses((status = 200, description = "What became of each backup", body = PruneView)))]
pub(in crate::http) async fn prune_backups(
    State(api): State<Api>,
    Who(caller): Who,
    JsonOrNothing(body): JsonOrNothing<PruneBody>,
) -> Result<Json<PruneView>, Problem> {
    let order = PruneOrder { environment: body.environment, dry_run: body.dry_run, confirm: body.confirm };
    Ok(Json(api.operations.prune_backups(&order, api.operations.master().now(), &caller).await?))
}
